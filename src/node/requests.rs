//! The requests of one session, carried out one after the other.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Node;
use super::directory::{Entrance, Entry};
use super::mailbox::Mailbox;
use crate::base::{SessionId, SubId};
use crate::channel::{
    Centers, Channel, Delivery, EventKind, Fix, GeoOptions, HistoryQuery, ObjectName, Publication,
    ServerCommand, View,
};
use crate::engine::{EngineError, PublishOptions, Retention};
use crate::geo::Point;
use crate::hub::{AreaChange, Input, Join, ObjectAct, Subscriber};
use crate::protocol::Disconnect;
use crate::session::{Answer, Origin, Recall, Request};

/// A queue with one request under way. Bounded by the session: its connection reads no further
/// frame while many wait.
pub(super) struct Requests {
    waiting: VecDeque<Request>,
    current: Option<Pin<Box<dyn Future<Output = Answer> + Send>>>,
}

/// On whose behalf a request is carried out.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) node: Arc<Node>,
    pub(super) origin: Origin,
    pub(super) mailbox: Mailbox,
}

impl Requests {
    pub(super) fn new() -> Self {
        Self { waiting: VecDeque::new(), current: None }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len() + usize::from(self.current.is_some())
    }

    pub(super) fn extend(&mut self, requests: &mut VecDeque<Request>) {
        self.waiting.append(requests);
    }

    /// The answer to the oldest request; pending for ever while there is none. A request that has
    /// begun goes on when this is polled again.
    pub(super) fn poll_answer(&mut self, context: &mut Context<'_>, asker: &Asker) -> Poll<Answer> {
        if self.current.is_none() {
            let Some(request) = self.waiting.pop_front() else {
                self.waiting = VecDeque::new();
                return Poll::Pending;
            };
            self.current = Some(Box::pin(asker.clone().carry_out(request)));
        }
        let current = self.current.as_mut().expect("set just above");
        let answer = std::task::ready!(current.as_mut().poll(context));
        self.current = None;
        Poll::Ready(answer)
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

impl Asker {
    async fn carry_out(self, request: Request) -> Answer {
        let (node, session) = (&self.node, self.origin.session);
        match request {
            Request::Enter { user, single_connection } => {
                return self.enter(user, single_connection).await;
            }
            Request::Exit { user } => node.directory.exit(session, user).await,
            Request::Join { channel, sub, delivery, recall } => {
                return self.join(channel, sub, delivery, recall).await;
            }
            Request::Leave { channel, sub } => {
                let leave = Input::Leave(Subscriber { channel: channel.clone(), session, sub });
                node.lanes.send(&channel, leave).await;
            }
            Request::Publish { channel, publication } => {
                return self.publish(&channel, publication).await;
            }
            Request::History { channel, query } => return self.history(&channel, query).await,
            Request::AddPresence { channel, details } => {
                let client = self.origin.client;
                return done(node.presence.add(&channel, client, details).await);
            }
            Request::RemovePresence { channel } => {
                return done(node.presence.remove(&channel, self.origin.client).await);
            }
            Request::Presence { channel } => {
                let members = node.presence.members(&channel).await;
                return members.map_or(Answer::Unavailable, Answer::Presence);
            }
            Request::PresenceStats { channel } => {
                let counts = node.presence.counts(&channel).await;
                return counts.map_or(Answer::Unavailable, |counts| Answer::PresenceStats {
                    clients: counts.clients,
                    users: counts.users,
                });
            }
            Request::Announce { channel, details, joined } => {
                let kind =
                    if joined { EventKind::Join(details) } else { EventKind::Leave(details) };
                return done(node.broker.emit(&channel, kind).await);
            }
            request => return self.carry_out_geo(request).await,
        }
        Answer::Done
    }

    async fn enter(&self, user: String, single_connection: bool) -> Answer {
        let entry = Entry {
            session: self.origin.session,
            client: self.origin.client,
            user,
            mailbox: self.mailbox.clone(),
        };
        let for_others = single_connection.then(|| ServerCommand::Disconnect {
            code: Disconnect::CONNECTION_LIMIT.code,
            reason: Disconnect::CONNECTION_LIMIT.reason.into_owned(),
        });
        match self.node.directory.enter(entry, for_others).await {
            Entrance::Open => Answer::Done,
            Entrance::OverLimit => Answer::OverLimit,
            Entrance::ShuttingDown => Answer::ShuttingDown,
        }
    }

    /// Joins a lane, with the area that was remembered, if there is one, and round the object that
    /// it follows.
    async fn join(
        &self,
        channel: Channel,
        sub: SubId,
        mut delivery: Delivery,
        recall: Option<Recall>,
    ) -> Answer {
        let node = &self.node;
        let mut recalled = None;
        if let Some(view) = &mut delivery.view {
            if let Some(recall) = recall {
                recalled = node.directory.recall(recall, node.clock.moment()).await;
            }
            let area = recalled.clone().unwrap_or_else(|| view.area.clone());
            let object = node.followed(&area).await;
            if object.is_some() || recalled.is_some() {
                let centers = Centers { object, ..view.centers };
                *view = Arc::new(View { area, centers, ..View::clone(view) });
            }
        }
        let (session, encoding) = (self.origin.session, self.origin.encoding);
        let mailbox = self.mailbox.clone();
        let join = Join { channel: channel.clone(), session, sub, encoding, delivery, mailbox };
        node.lanes.send(&channel, Input::Join(join)).await;
        Answer::Joined(recalled)
    }

    /// What is about areas and objects.
    async fn carry_out_geo(&self, request: Request) -> Answer {
        let (node, session) = (&self.node, self.origin.session);
        match request {
            Request::Remember { recall, area, bytes } => {
                node.directory.remember(recall, (area, bytes), node.clock.moment()).await;
            }
            Request::ForgetArea { owner } => node.directory.forget_area(owner).await,
            Request::MoveArea { channel, sub, area, position, token } => {
                let of = Subscriber { channel: channel.clone(), session, sub };
                let centers = Centers { session: position, object: node.followed(&area).await };
                let change = AreaChange::Moved { area, centers: centers.into(), token };
                node.lanes.send(&channel, Input::Change { of, change }).await;
            }
            Request::Locate { subs, fix } => return self.locate(subs, fix).await,
            Request::PublishFix { channel, fix, options } => {
                let kind = EventKind::Fix(fix, options);
                return published(node.broker.emit(&channel, kind).await);
            }
            Request::RemoveObject { channel, key } => {
                return published(node.broker.emit(&channel, EventKind::Removed { key }).await);
            }
            Request::Offline { channel } => {
                let act = ObjectAct::Offline(session);
                node.lanes.send(&channel, Input::Objects { channel: channel.clone(), act }).await;
            }
            Request::Follow { object, by: (channel, sub), options, begins } => {
                let ObjectName { channel: objects, key } = object;
                let by = Subscriber { channel, session, sub };
                let act = match begins {
                    true => ObjectAct::Follow { key, by, options },
                    false => ObjectAct::Unfollow { key, by },
                };
                node.lanes.send(&objects, Input::Objects { channel: objects.clone(), act }).await;
            }
            Request::Query { channel, query } => {
                return Answer::Objects(node.query(&channel, query).await);
            }
            Request::ZonesAt { at } => return Answer::Zones(node.zones_at(at).await),
            request => unreachable!("{request:?} is carried out elsewhere"),
        }
        Answer::Done
    }

    /// Done when every lane has applied it.
    async fn locate(
        &self,
        subs: Vec<(Channel, SubId, Point)>,
        fix: Option<(Channel, Arc<Fix>, Arc<GeoOptions>)>,
    ) -> Answer {
        let (node, session) = (&self.node, self.origin.session);
        let mut concerned = Vec::with_capacity(subs.len() + 1);
        for (channel, sub, at) in subs {
            let of = Subscriber { channel: channel.clone(), session, sub };
            let change = AreaChange::Located(at);
            node.lanes.send(&channel, Input::Change { of, change }).await;
            concerned.push(channel);
        }
        if let Some((channel, fix, options)) = fix {
            let kind = EventKind::Fix(fix, options);
            if node.broker.emit(&channel, kind).await.is_err() {
                return Answer::Unavailable;
            }
            concerned.push(channel);
        }
        for channel in concerned {
            node.lanes.look(&channel, |_| ()).await;
        }
        Answer::Done
    }

    async fn publish(&self, channel: &Channel, publication: Publication) -> Answer {
        let context = self.node.context();
        let namespace = context.namespaces.find(channel.as_str());
        if let Some(geo) = namespace.and_then(|namespace| namespace.options.geo.as_ref())
            && self.node.is_hidden(&publication, geo).await
        {
            return Answer::Published;
        }
        let options = PublishOptions { retention: self.retention(channel), ..Default::default() };
        let now = self.node.clock.now();
        let published = self.node.broker.publish(channel, publication, options, now).await;
        published.map_or(Answer::Unavailable, |_position| Answer::Published)
    }

    async fn history(&self, channel: &Channel, query: HistoryQuery) -> Answer {
        // The session asks only where its namespace keeps history; a reload may have ended that.
        let Some(retention) = self.retention(channel) else { return Answer::Unavailable };
        let now = self.node.clock.now();
        let page = self.node.broker.history(channel, query, retention, now).await;
        page.map_or(Answer::Unavailable, Answer::History)
    }

    fn retention(&self, channel: &Channel) -> Option<Retention> {
        let context = self.node.context();
        let namespace = context.namespaces.find(channel.as_str())?;
        Retention::of(&namespace.options)
    }
}

fn published(result: Result<(), EngineError>) -> Answer {
    result.map_or(Answer::Unavailable, |()| Answer::Published)
}

fn done(result: Result<(), EngineError>) -> Answer {
    result.map_or(Answer::Unavailable, |()| Answer::Done)
}

impl Node {
    /// Undoes what a session left behind that ended without leaving.
    pub(super) async fn forget(&self, session: SessionId, user: String) {
        self.lanes.send_all(&Input::Forget(session)).await;
        self.directory.exit(session, user).await;
    }
}
