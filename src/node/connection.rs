//! The task of one connection: it owns socket, session and mailbox, and decides nothing. Everything
//! it waits for is polled in one place, so that nothing is lost when something else comes first.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use tokio::time::{Sleep, sleep_until, timeout};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tracing::{Instrument, debug, debug_span, error};

use super::Node;
use super::mailbox::{Mailbox, Overflow};
use super::requests::{Asker, Requests};
use crate::base::{Encoding, Moment, Now, SubId, limits};
use crate::channel::Mail;
use crate::protocol::Disconnect;
use crate::session::{Actions, Answer, Dropped, Note, Origin, Session};
use crate::telemetry::TransportMetrics;
use crate::transport::{Format, Received, Transport, Turn};

/// What a connection's client agreed on in the handshake.
#[expect(clippy::struct_excessive_bools, reason = "each is a trait of its own of a transport")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agreement {
    /// Name of the transport in metrics and logs.
    pub(crate) transport: &'static str,
    pub(crate) format: Format,
    pub(crate) native_ping: bool,
    /// The transport's own close does not reach the client's SDK.
    pub(crate) pushes_end: bool,
    /// It has datagrams and streams for each row of messages, for clients that ask.
    pub(crate) extras: bool,
}

/// Serves a client until its connection ends, and leaves nothing of it behind.
pub(crate) async fn serve<T: Transport>(node: Arc<Node>, link: T, agreement: Agreement) {
    let origin = node.new_origin(agreement);
    let span = debug_span!(
        "connection",
        client = %origin.client,
        transport = agreement.transport,
        peer = %link.peer(),
    );
    let mut connection = Connection::new(node.clone(), link, origin, agreement);
    let served = AssertUnwindSafe(connection.run()).catch_unwind().instrument(span).await;
    if served.is_err() {
        error!(client = %origin.client, "a connection ended by a fault of the server");
        node.metrics.panicked();
        let user = connection.session.user().to_owned();
        connection.asker.mailbox.close();
        node.forget(origin.session, user).await;
    }
}

thread_local! {
    /// The actions of the input that this thread is handling: empty in between, and kept so that
    /// neither each input allocates nor each idle connection holds memory.
    static ACTIONS: Cell<Actions> = Cell::default();
}

/// What a connection waits for.
enum Step {
    Received(Received),
    /// What was queued is written, and there was so much of it that other things had to wait.
    Room,
    /// The stream of a subscription ended before its time.
    Lost(SubId),
    /// The session has more to tell and there is room for it.
    More,
    Mail(Result<(), Overflow>),
    Answer(Answer),
    Timeout,
    /// The node drains, and the client has not connected: the directory does not know it yet.
    Draining,
}

/// How a connection ends.
enum End {
    /// The client is gone.
    Gone,
    Close(Disconnect),
    /// A rule of the transport was broken: its own code.
    Violation {
        code: u16,
        reason: &'static str,
    },
}

struct Connection<T> {
    asker: Asker,
    link: T,
    session: Session,
    requests: Requests,
    batch: VecDeque<Mail>,
    sleep: Option<(Moment, Pin<Box<Sleep>>)>,
    /// Gone once the client has connected: from then on the directory tells it of a drain.
    draining: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// When the oldest publication that is queued and not yet written was taken up.
    oldest: Option<Moment>,
    format: Format,
    metrics: TransportMetrics,
}

impl<T: Transport> Connection<T> {
    fn new(node: Arc<Node>, link: T, origin: Origin, agreement: Agreement) -> Self {
        let now = node.clock.now();
        let session = Session::new(node.context(), origin, now);
        let metrics = node.metrics.transport(agreement.transport);
        let mailbox = Mailbox::new(node.options.queue_bytes_max);
        let draining = Some(Box::pin(node.draining.clone().cancelled_owned()));
        Self {
            asker: Asker { node, origin, mailbox },
            link,
            session,
            requests: Requests::new(),
            batch: VecDeque::new(),
            sleep: None,
            draining,
            oldest: None,
            format: agreement.format,
            metrics,
        }
    }

    async fn run(&mut self) {
        debug!("opened");
        let end = loop {
            let step = poll_fn(|context| self.poll_step(context)).await;
            let mut actions = ACTIONS.take();
            let ended = self.take(step, &mut actions);
            let ended = ended.or(self.act(&mut actions));
            actions.clear();
            ACTIONS.set(actions);
            if let Some(end) = ended {
                break end;
            }
        };
        self.finish(end).await;
    }

    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        if let Some(row) = self.link.cut_row(self.asker.node.options.queue_bytes_max) {
            return Poll::Ready(Step::Lost(SubId(row)));
        }
        let unsent = self.link.queued_in(None);
        // A reply to one small command may be large: while replies are not read, none is made.
        if unsent < limits::READ_GATE
            && let Poll::Ready(answer) = self.requests.poll_answer(context, &self.asker)
        {
            return Poll::Ready(Step::Answer(answer));
        }
        if unsent < limits::WRITE_HIGH_WATER {
            if self.session.has_more(|row| has_room(&self.link, row)) {
                return Poll::Ready(Step::More);
            }
            let room = limits::WRITE_HIGH_WATER - unsent;
            if let Poll::Ready(taken) = self.asker.mailbox.poll_take(context, room, &mut self.batch)
            {
                return Poll::Ready(Step::Mail(taken));
            }
        } else if let Some(urgent) = self.asker.mailbox.take_urgent(context) {
            return Poll::Ready(Step::Mail(urgent.map(|mail| self.batch.push_back(mail))));
        }
        let reading = unsent < limits::READ_GATE
            && self.session.accepts_frames()
            && self.requests.len() < limits::SESSION_REQUESTS;
        loop {
            match self.link.poll_turn(context, reading) {
                Poll::Ready(Turn::Received(received)) => {
                    return Poll::Ready(Step::Received(received));
                }
                Poll::Ready(Turn::Flushed) => self.flushed(),
                Poll::Ready(Turn::Lost { row }) => return Poll::Ready(Step::Lost(SubId(row))),
                Poll::Pending => break,
            }
            if unsent >= limits::WRITE_HIGH_WATER || self.session.has_more(|_row| true) {
                return Poll::Ready(Step::Room);
            }
        }
        if self.poll_draining(context).is_ready() {
            return Poll::Ready(Step::Draining);
        }
        self.poll_timeout(context).map(|()| Step::Timeout)
    }

    fn flushed(&mut self) {
        if let Some(oldest) = self.oldest.take()
            && self.metrics.is_sampled()
        {
            let node = &self.asker.node;
            node.metrics.written(node.clock.moment().since(oldest));
        }
    }

    fn poll_draining(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.session.is_open() {
            self.draining = None;
        }
        let Some(draining) = &mut self.draining else { return Poll::Pending };
        draining.as_mut().poll(context).map(|()| self.draining = None)
    }

    fn poll_timeout(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.session.next_deadline() else {
            self.sleep = None;
            return Poll::Pending;
        };
        let until = self.asker.node.clock.instant(deadline);
        let (set, sleep) =
            self.sleep.get_or_insert_with(|| (deadline, Box::pin(sleep_until(until))));
        if *set != deadline {
            sleep.as_mut().reset(until);
            *set = deadline;
        }
        sleep.as_mut().poll(context).map(|()| self.sleep = None)
    }

    fn take(&mut self, step: Step, actions: &mut Actions) -> Option<End> {
        let now = self.now();
        match step {
            Step::Received(Received::Message(format, frame)) => {
                self.metrics.received(frame.len());
                if format == self.format {
                    self.session.handle_frame(&frame, now, actions);
                } else {
                    self.session.handle_violation(wrong_format(format), now, actions);
                }
            }
            Step::Received(Received::Datagram(data)) => {
                self.metrics.received(data.len());
                self.session.handle_datagram(&data, now, actions);
            }
            Step::Received(Received::Pong) => self.session.handle_native_pong(),
            Step::Received(Received::Closed) => return Some(End::Gone),
            Step::Received(Received::Violation { code, reason }) => {
                return Some(End::Violation { code, reason });
            }
            Step::Mail(Ok(())) => {
                let flows = matches!(self.batch.back(), Some(Mail::Push { .. }));
                for mail in self.batch.drain(..) {
                    self.session.handle_mail(mail, now, actions);
                }
                // Where publications flow, this room and that of the mailbox change places each
                // time and nothing is allocated; idle, a connection holds no memory but itself.
                if !flows || self.batch.capacity() > limits::BATCH_KEPT {
                    self.batch = VecDeque::new();
                }
            }
            Step::Mail(Err(Overflow)) => {
                self.link.discard_queued();
                return Some(End::Close(Disconnect::SLOW));
            }
            Step::Answer(answer) => self.session.handle_answer(answer, now, actions),
            Step::Timeout => {
                self.batch = VecDeque::new();
                self.asker.mailbox.release();
                self.session.handle_timeout(now, actions);
            }
            Step::Draining => self.session.handle_violation(Disconnect::SHUTDOWN, now, actions),
            Step::Lost(sub) => self.session.handle_lost_row(sub, now, actions),
            Step::Room => {}
            Step::More => {
                let link = &self.link;
                self.session.handle_room(|row| has_room(link, row), now, actions);
            }
        }
        None
    }

    /// Carries out what the session wants.
    fn act(&mut self, actions: &mut Actions) -> Option<End> {
        let (mut messages, before) = (0, self.link.queued_bytes());
        for write in actions.writes() {
            self.link.queue(write.row.map(|sub| sub.0), write.head, write.body);
            self.oldest = self.oldest.or(write.accepted);
            messages += 1;
        }
        for sub in actions.ended_rows.drain(..) {
            self.link.end_row(sub.0);
        }
        if messages > 0 {
            self.metrics.sent(messages, self.link.queued_bytes() - before);
        }
        if actions.native_ping {
            self.link.queue_ping();
        }
        for note in actions.notes.drain(..) {
            self.asker.node.note(note);
        }
        self.requests.extend(&mut actions.requests);
        actions.close.take().map(End::Close)
    }

    /// Leaves every channel while the client is told.
    async fn finish(&mut self, end: End) {
        let mut actions = Actions::default();
        self.session.handle_closed(&mut actions);
        self.requests.extend(&mut actions.requests);
        self.asker.mailbox.close();
        let node = self.asker.node.clone();
        let Self { asker, link, requests, session, .. } = self;
        let leave = async {
            while requests.len() > 0 {
                poll_fn(|context| requests.poll_answer(context, asker)).await;
            }
        };
        let goodbye = async {
            let told = match end {
                // The answer to the client's goodbye may still be due.
                End::Gone => None,
                End::Close(disconnect) => Some(disconnect),
                End::Violation { code, reason } => Some(Disconnect { code, reason: reason.into() }),
            };
            if let Some(disconnect) = &told {
                node.metrics.disconnected(disconnect.code);
                session.say_goodbye(disconnect.clone(), &mut actions);
                for write in actions.writes() {
                    link.queue(None, write.head, write.body);
                }
            }
            let (code, reason) =
                told.as_ref().map_or((1000, ""), |told| (told.code, &*told.reason));
            debug!(code, reason, "disconnects");
            if timeout(limits::CLOSE_TIMEOUT, link.close(code, reason)).await.is_err() {
                debug!("the client did not take the close in time");
            }
        };
        tokio::join!(leave, goodbye);
        debug!("closed");
    }

    fn now(&self) -> Now {
        self.asker.node.clock.now()
    }
}

/// Whether a row, or what is in none, may have more.
fn has_room(link: &impl Transport, row: Option<SubId>) -> bool {
    link.queued_in(row.map(|sub| sub.0)) < limits::WRITE_HIGH_WATER
}

fn wrong_format(received: Format) -> Disconnect {
    Disconnect::INAPPROPRIATE_PROTOCOL.because(match received {
        Format::Text => "text to a Protobuf connection",
        Format::Binary => "binary to a JSON connection",
    })
}

impl Format {
    /// How the protocol is written in messages of this format.
    fn encoding(self) -> Encoding {
        match self {
            Self::Text => Encoding::Json,
            Self::Binary => Encoding::Protobuf,
        }
    }
}

impl Node {
    fn new_origin(&self, agreement: Agreement) -> Origin {
        let mut random = [0; 24];
        getrandom::fill(&mut random).expect("the operating system has random numbers");
        let (client, spread) = random.split_at(16);
        let client = uuid::Builder::from_random_bytes(client.try_into().expect("16 bytes"));
        Origin {
            session: self.next_session(),
            client: crate::base::ClientId(client.into_uuid().as_u128()),
            encoding: agreement.format.encoding(),
            native_ping: agreement.native_ping,
            pushes_end: agreement.pushes_end,
            extras: agreement.extras,
            random: u64::from_le_bytes(spread.try_into().expect("8 bytes")),
        }
    }

    fn note(&self, note: Note) {
        match note {
            Note::Command(method) => self.metrics.command(method),
            Note::Failed { code } => self.metrics.reply_error(code),
            Note::Unsubscribed { code } => self.metrics.unsubscribed(code),
            Note::Recovered(recovered) => self.metrics.recovered(recovered),
            Note::Conflated(count) => self.metrics.conflated(count),
            Note::DatagramDropped(dropped) => {
                self.metrics.datagram_dropped(dropped.name());
                if let Dropped::Wrong { why } = dropped {
                    debug!(%why, "a datagram was dropped");
                }
            }
            Note::FixDropped => self.metrics.fix_dropped(),
        }
    }
}
