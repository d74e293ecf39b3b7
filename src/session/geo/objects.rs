//! What a client is told of objects: the snapshot in its subscribe reply, the rest of it as its
//! connection has room, and then every change.

use std::sync::Arc;

use bytes::Bytes;

use super::backlog::Telling;
use super::viewing::Viewing;
use crate::base::{Encoding, Now, SubId, limits};
use crate::channel::{
    Change, Form, Happening, HistoryPage, Moved, Object, Reason, Refusal, Sighting,
};
use crate::geo::Metres;
use crate::geo::json::Shown;
use crate::protocol::{
    self, ErrorCode, Reply, RpcResult, SubscribeRequest, SubscribeResult, UnsubscribeCode,
    encode_push_body, push_head,
};
use crate::session::action::{Actions, Note};
use crate::session::subscription::Subscription;
use crate::session::wire::shown;
use crate::session::{Failure, Session};

impl Session {
    /// Takes what happened to an object.
    pub(in crate::session) fn tell_object(
        &mut self,
        sub: SubId,
        telling: Telling,
        now: Now,
        actions: &mut Actions,
    ) {
        let encoding = self.origin.encoding;
        let Some(subscription) = self.subscriptions.by_id(sub) else { return };
        let Some(viewing) = &mut subscription.viewing else { return };
        if viewing.detects && !viewing.backlog.is_held {
            return write(subscription, &telling, encoding, actions);
        }
        if let Some(telling) = viewing.backlog.offer(telling, now.moment) {
            write(subscription, &telling, encoding, actions);
        }
    }

    /// Puts the snapshot's first page into a subscribe reply.
    pub(in crate::session) fn show(
        subscription: &mut Subscription,
        first_page: usize,
        result: &mut SubscribeResult,
    ) {
        let Some(viewing) = &mut subscription.viewing else { return };
        result.publish_debounce = viewing
            .options
            .publish_debounce
            .map_or(0, |least| u32::try_from(least.as_millis()).unwrap_or(u32::MAX));
        let moved = [("moved", "true".to_owned())];
        let moved = if viewing.is_moved() { &moved[..] } else { &[] };
        if !viewing.has_objects() {
            viewing.backlog.is_held = false;
            if viewing.is_moved() {
                result.data = Bytes::from_static(b"{\"moved\":true}");
            }
            return;
        }
        match viewing.form {
            Form::Stream => {
                let page = viewing.backlog.next_page(viewing.options.snapshot_page);
                viewing.backlog.is_held = false;
                result.data = object_list(&page, moved);
            }
            Form::Map => show_page(viewing, first_page, result),
        }
    }

    /// The next page of a map whose client has not got all of it yet.
    pub(in crate::session) fn next_page(
        &mut self,
        id: u32,
        request: &SubscribeRequest,
        now: Now,
        actions: &mut Actions,
    ) -> Result<(), Failure> {
        let limit = map_page(request.limit);
        let found = self.subscriptions.find_mut(&request.channel);
        let paged = found.filter(|one| !request.cursor.is_empty() && one.is_paged());
        let Some(subscription) = paged else { return Err(ErrorCode::AlreadySubscribed.into()) };
        if let Some(row) = &mut subscription.row {
            row.asked = id;
        }
        // SDKs take the subscription's number from the last page.
        let mut result = subscription.result(&HistoryPage::default(), now);
        let viewing = subscription.viewing.as_mut().expect("what is paged is a view");
        show_page(viewing, limit, &mut result);
        let subscribe = Some(result);
        self.reply(id, Reply { subscribe, ..Reply::default() }, actions);
        Ok(())
    }

    /// Whether there is something to tell now, where `has_room` says which rows may have more.
    pub(crate) fn has_more(&self, has_room: impl Fn(Option<SubId>) -> bool) -> bool {
        self.subscriptions.iter().any(|one| one.has_more() && has_room(one.row_id()))
    }

    /// Rows have room: tells the next objects of snapshots.
    pub(crate) fn handle_room(
        &mut self,
        has_room: impl Fn(Option<SubId>) -> bool,
        now: Now,
        actions: &mut Actions,
    ) {
        let encoding = self.origin.encoding;
        for subscription in self.subscriptions.iter_mut() {
            if !subscription.has_more() || !has_room(subscription.row_id()) {
                continue;
            }
            let Some(viewing) = &mut subscription.viewing else { continue };
            let page = viewing.backlog.next_page(viewing.options.snapshot_page);
            for Sighting { object, distance } in page {
                let change = Arc::new(Change::new(object));
                let (happening, reason) = (Happening::Enter, Reason::Snapshot);
                let telling = Telling { happening, reason, change, distance };
                write(subscription, &telling, encoding, actions);
            }
            tell_due(subscription, now, encoding, actions);
        }
    }

    /// Tells what waited for its time.
    pub(in crate::session) fn tell_waiting(&mut self, now: Now, actions: &mut Actions) {
        let encoding = self.origin.encoding;
        for subscription in self.subscriptions.iter_mut() {
            tell_due(subscription, now, encoding, actions);
        }
    }

    /// The lane does not take the subscription, or no longer: what its area follows went where there
    /// are too many objects.
    pub(in crate::session) fn refused(
        &mut self,
        sub: SubId,
        refusal: &Refusal,
        actions: &mut Actions,
    ) {
        let Some(subscription) = self.subscriptions.by_id(sub) else { return };
        let Some(joining) = &mut subscription.joining else {
            return self.push_unsubscribed(sub, UnsubscribeCode::LimitExceeded, actions);
        };
        let Some(answer) = joining.answer.take() else { return };
        self.refuse(sub, answer, error_of(refusal), actions);
    }

    /// An area is another one, at the client's wish.
    pub(in crate::session) fn moved(
        &mut self,
        sub: SubId,
        token: u32,
        moved: Result<Moved, Refusal>,
        actions: &mut Actions,
    ) {
        let encoding = self.origin.encoding;
        let Some(subscription) = self.subscriptions.by_id(sub) else { return };
        let Some(viewing) = &mut subscription.viewing else { return };
        let Some(at) = viewing.moves.iter().position(|due| due.token == token) else { return };
        let done = viewing.moves.remove(at).expect("found just above");
        let id = done.id;
        let moved = match moved {
            Ok(moved) => moved,
            Err(refusal) => return self.fail(id, error_of(&refusal), actions),
        };
        for gone in &moved.removed {
            viewing.backlog.forget(&gone.fix.key);
        }
        for sighting in &moved.added {
            viewing.backlog.forget(&sighting.object.fix.key);
            viewing.backlog.note(sighting);
        }
        if viewing.form == Form::Map {
            tell_moved(subscription, &moved, encoding, actions);
        }
        // Behind what was told of the area before, and before what is told of the new one.
        let row = subscription.row(encoding, actions);
        let rpc = Some(RpcResult { data: moved_answer(&moved) });
        self.reply_in(row, id, Reply { rpc, ..Reply::default() }, actions);
        self.area_is(sub, done, actions);
    }
}

impl Subscription {
    /// Whether it is a map whose client has not got all of it yet.
    pub(in crate::session) fn is_paged(&self) -> bool {
        let viewing = self.viewing.as_ref();
        viewing.is_some_and(|viewing| viewing.form == Form::Map && viewing.backlog.is_held)
    }

    fn has_more(&self) -> bool {
        self.joining.is_none()
            && self
                .viewing
                .as_ref()
                .is_some_and(|viewing| !viewing.backlog.is_held && viewing.backlog.has_snapshot())
    }
}

fn tell_due(subscription: &mut Subscription, now: Now, encoding: Encoding, actions: &mut Actions) {
    let Some(viewing) = &mut subscription.viewing else { return };
    let due = viewing.backlog.due(now.moment);
    let skipped = viewing.backlog.take_skipped();
    if skipped > 0 {
        actions.notes.push(Note::Conflated(skipped));
    }
    for telling in due {
        write(subscription, &telling, encoding, actions);
    }
}

fn tell_moved(
    subscription: &mut Subscription,
    moved: &Moved,
    encoding: Encoding,
    actions: &mut Actions,
) {
    let reason = Reason::AreaChanged;
    let mut tell = |happening, object: &Arc<Object>, distance| {
        let change = Arc::new(Change::new(object.clone()));
        let telling = Telling { happening, reason, change, distance };
        write(subscription, &telling, encoding, actions);
    };
    moved.removed.iter().for_each(|gone| tell(Happening::Exit, gone, None));
    moved.added.iter().for_each(|one| tell(Happening::Enter, &one.object, one.distance));
}

/// Objects of one page of a map, and where the next one begins.
fn show_page(viewing: &mut Viewing, limit: usize, result: &mut SubscribeResult) {
    let page = viewing.backlog.next_page(limit);
    result.r#type = 1;
    if viewing.backlog.has_snapshot() {
        result.phase = PHASE_STATE;
        result.cursor = page.last().map(|last| last.object.fix.key.to_string()).unwrap_or_default();
    } else {
        viewing.backlog.is_held = false;
    }
    result.state =
        page.iter().map(|one| entry(&one.object, Happening::Enter, one.distance)).collect();
}

/// Writes one change to the client, in bytes that are shared with all who are told the same.
fn write(
    subscription: &mut Subscription,
    telling: &Telling,
    encoding: Encoding,
    actions: &mut Actions,
) {
    let Some(viewing) = &subscription.viewing else { return };
    let Telling { happening, reason, change, distance } = telling;
    let form = viewing.form;
    let encode = || {
        let publication = match form {
            Form::Stream => delta(&change.object, *happening, *reason, *distance),
            Form::Map => entry(&change.object, *happening, *distance),
        };
        encode_push_body(encoding, &protocol::PushBody::Pub(publication))
    };
    let shared = match distance {
        Some(_) => None,
        None => change.written.shared(encoding, form, *happening, *reason, encode).cloned(),
    };
    let body = shared.unwrap_or_else(encode);
    let row = subscription.row(encoding, actions);
    let target = subscription.target();
    let (bytes, accepted) = (body.len(), change.object.fix.accepted);
    actions.write_push(row, body, Some(accepted), |head| push_head(encoding, &target, bytes, head));
}

fn delta(
    object: &Object,
    happening: Happening,
    reason: Reason,
    distance: Option<Metres>,
) -> protocol::Publication {
    let event = (Some(happening.name()), Some(reason.name()));
    let mut data = Vec::with_capacity(192);
    shown(object, event, distance).write(&mut data);
    publication(object, data.into())
}

fn entry(object: &Object, happening: Happening, distance: Option<Metres>) -> protocol::Publication {
    let key = object.fix.key.to_string();
    if happening == Happening::Exit {
        return protocol::Publication { key, removed: true, ..protocol::Publication::default() };
    }
    let mut data = Vec::with_capacity(192);
    Shown { key: None, ..shown(object, (None, None), distance) }.write(&mut data);
    protocol::Publication { key, ..publication(object, data.into()) }
}

fn publication(object: &Object, data: Bytes) -> protocol::Publication {
    let tags = object.fix.tags.clone();
    protocol::Publication { data, tags, ..protocol::Publication::default() }
}

/// `{"objects":[...]}`, and further members behind.
pub(crate) fn object_list(objects: &[Sighting], more: &[(&str, String)]) -> Bytes {
    let mut json = Vec::with_capacity(16 + 160 * objects.len());
    json.extend(b"{\"objects\":[");
    for (index, one) in objects.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        let shown = shown(&one.object, (None, None), one.distance);
        Shown { tags: Some(&one.object.fix.tags), ..shown }.write(&mut json);
    }
    json.push(b']');
    for (name, value) in more {
        json.extend(format!(",\"{name}\":{value}").as_bytes());
    }
    json.push(b'}');
    json.into()
}

fn moved_answer(moved: &Moved) -> Bytes {
    let keys = |keys: Vec<&str>| serde_json::to_string(&keys).expect("a list of strings is JSON");
    let added = keys(moved.added.iter().map(|one| &*one.object.fix.key).collect());
    let removed = keys(moved.removed.iter().map(|one| &*one.fix.key).collect());
    object_list(&moved.added, &[("added", added), ("removed", removed)])
}

pub(crate) fn error_of(refusal: &Refusal) -> protocol::ClientError {
    let code = match refusal {
        Refusal::TooManyObjects { .. } | Refusal::TooManyFences(_) => ErrorCode::LimitExceeded,
        Refusal::UnknownZone(_) => ErrorCode::BadRequest,
        Refusal::OtherKind => ErrorCode::Internal,
    };
    code.because(refusal)
}

/// Objects in one page of a map: SDKs ask for 100 to 1,000.
pub(in crate::session) fn map_page(limit: i32) -> usize {
    match usize::try_from(limit) {
        Ok(0) | Err(_) => MAP_PAGE,
        Ok(limit) => limit.clamp(MAP_PAGE, limits::MAP_PAGE_MAX),
    }
}

const MAP_PAGE: usize = 100;
/// Of a map subscription: the client asks for the state page by page.
const PHASE_STATE: i32 = 2;
