//! The sessions of this node by user: whom the server API reaches. One task owns it.

use std::collections::{HashMap, HashSet};

use tokio::sync::{mpsc, oneshot};

use super::mailbox::Mailbox;
use super::recall::MovedAreas;
use crate::base::{ClientId, Moment, SessionId, limits};
use crate::channel::{AreaSource, Mail, ServerCommand};
use crate::hub::Mailbox as _;
use crate::session::{AreaOwner, Recall};

/// A session that has connected.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) session: SessionId,
    pub(super) client: ClientId,
    /// Empty for an anonymous client: those are counted as one user, and no command reaches them
    /// by user.
    pub(super) user: String,
    pub(super) mailbox: Mailbox,
}

/// Whether a session may enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entrance {
    Open,
    OverLimit,
    ShuttingDown,
}

/// Whom a command is for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Audience {
    pub(crate) user: String,
    /// Only this client of the user's.
    pub(crate) client: Option<ClientId>,
    /// Not these.
    pub(crate) except: Vec<ClientId>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DirectoryCounts {
    pub(crate) clients: usize,
    pub(crate) users: usize,
}

#[derive(Debug)]
enum Message {
    Enter(Entry, Option<ServerCommand>, oneshot::Sender<Entrance>),
    Exit(SessionId, String),
    Tell(Audience, ServerCommand, oneshot::Sender<usize>),
    Remember(Recall, AreaSource, usize, Moment),
    ForgetArea(AreaOwner),
    Recall(Recall, Moment, oneshot::Sender<Option<AreaSource>>),
    Counts(oneshot::Sender<DirectoryCounts>),
    /// Nobody enters from here on; answers with everyone who is there.
    Close(oneshot::Sender<Vec<Mailbox>>),
}

/// The way to the directory. Its queue is bounded: whoever sends to a full one waits.
#[derive(Clone, Debug)]
pub(super) struct Directory(mpsc::Sender<Message>);

impl Directory {
    pub(super) fn start(
        tasks: &tokio_util::task::TaskTracker,
        user_connection_limit: Option<usize>,
    ) -> Self {
        let (sender, inbox) = mpsc::channel(limits::LANE_QUEUE);
        tasks.spawn(run(inbox, Sessions::new(user_connection_limit)));
        Self(sender)
    }

    /// Enters a session; `for_others` is said to the user's other sessions first.
    pub(super) async fn enter(&self, entry: Entry, for_others: Option<ServerCommand>) -> Entrance {
        self.ask(|reply| Message::Enter(entry, for_others, reply))
            .await
            .unwrap_or(Entrance::ShuttingDown)
    }

    pub(super) async fn exit(&self, session: SessionId, user: String) {
        drop(self.0.send(Message::Exit(session, user)).await);
    }

    /// Says something to the sessions of an audience; how many there are.
    pub(super) async fn tell(&self, audience: Audience, command: ServerCommand) -> usize {
        self.ask(|reply| Message::Tell(audience, command, reply)).await.unwrap_or(0)
    }

    /// Keeps an area that its owner moved.
    pub(super) async fn remember(
        &self,
        recall: Recall,
        (area, bytes): (AreaSource, usize),
        now: Moment,
    ) {
        drop(self.0.send(Message::Remember(recall, area, bytes, now)).await);
    }

    /// Forgets the area that was kept.
    pub(super) async fn forget_area(&self, owner: AreaOwner) {
        drop(self.0.send(Message::ForgetArea(owner)).await);
    }

    /// The area that was kept.
    pub(super) async fn recall(&self, recall: Recall, now: Moment) -> Option<AreaSource> {
        self.ask(|reply| Message::Recall(recall, now, reply)).await.flatten()
    }

    pub(super) async fn counts(&self) -> DirectoryCounts {
        self.ask(Message::Counts).await.unwrap_or_default()
    }

    pub(super) async fn close(&self) -> Vec<Mailbox> {
        self.ask(Message::Close).await.unwrap_or_default()
    }

    async fn ask<T>(&self, message: impl FnOnce(oneshot::Sender<T>) -> Message) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.0.send(message(reply)).await.ok()?;
        answer.await.ok()
    }
}

async fn run(mut inbox: mpsc::Receiver<Message>, mut sessions: Sessions) {
    let mut areas = MovedAreas::default();
    while let Some(message) = inbox.recv().await {
        match message {
            Message::Enter(entry, for_others, reply) => {
                answer(reply, sessions.enter(entry, for_others.as_ref()));
            }
            Message::Exit(session, user) => sessions.exit(session, &user),
            Message::Tell(audience, command, reply) => {
                answer(reply, sessions.tell(&audience, &command));
            }
            Message::Remember(recall, area, bytes, now) => {
                areas.remember(recall, (area, bytes), now)
            }
            Message::ForgetArea(owner) => areas.forget(&owner),
            Message::Recall(recall, now, reply) => answer(reply, areas.recall(&recall, now)),
            Message::Counts(reply) => answer(reply, sessions.counts()),
            Message::Close(reply) => {
                sessions.closed = true;
                answer(reply, sessions.all());
            }
        }
    }
}

/// Whoever asked may be gone.
fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    drop(reply.send(value).err());
}

/// The directory's state.
#[derive(Debug)]
struct Sessions {
    by_user: HashMap<String, HashMap<SessionId, (ClientId, Mailbox)>>,
    clients: usize,
    user_connection_limit: Option<usize>,
    closed: bool,
}

impl Sessions {
    fn new(user_connection_limit: Option<usize>) -> Self {
        Self { by_user: HashMap::new(), clients: 0, user_connection_limit, closed: false }
    }

    fn enter(&mut self, entry: Entry, for_others: Option<&ServerCommand>) -> Entrance {
        if self.closed {
            return Entrance::ShuttingDown;
        }
        let Entry { session, client, user, mailbox } = entry;
        let limit = self.user_connection_limit.filter(|_| !user.is_empty());
        let others = self.by_user.entry(user).or_default();
        if let Some(command) = for_others {
            for (_, mailbox) in others.values() {
                mailbox.post(Mail::Server(Box::new(command.clone())));
            }
        } else if limit.is_some_and(|limit| others.len() >= limit) {
            return Entrance::OverLimit;
        }
        let before = others.insert(session, (client, mailbox));
        assert!(before.is_none(), "a session enters once");
        self.clients += 1;
        Entrance::Open
    }

    fn exit(&mut self, session: SessionId, user: &str) {
        let Some(sessions) = self.by_user.get_mut(user) else { return };
        if sessions.remove(&session).is_some() {
            self.clients -= 1;
        }
        if sessions.is_empty() {
            self.by_user.remove(user);
        }
    }

    fn tell(&self, audience: &Audience, command: &ServerCommand) -> usize {
        let except: HashSet<ClientId> = audience.except.iter().copied().collect();
        let reached = self
            .by_user
            .get(&audience.user)
            .into_iter()
            .flat_map(HashMap::values)
            .filter(|(client, _)| audience.client.is_none_or(|only| only == *client))
            .filter(|(client, _)| !except.contains(client));
        let mut count = 0;
        for (_, mailbox) in reached {
            mailbox.post(Mail::Server(Box::new(command.clone())));
            count += 1;
        }
        count
    }

    fn all(&self) -> Vec<Mailbox> {
        let sessions = self.by_user.values().flat_map(HashMap::values);
        sessions.map(|(_, mailbox)| mailbox.clone()).collect()
    }

    fn counts(&self) -> DirectoryCounts {
        DirectoryCounts { clients: self.clients, users: self.by_user.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(session: u64, user: &str) -> Entry {
        Entry {
            session: SessionId(session),
            client: ClientId(u128::from(session)),
            user: user.into(),
            mailbox: Mailbox::new(1000),
        }
    }

    fn disconnect() -> ServerCommand {
        ServerCommand::Disconnect { code: 3000, reason: String::new() }
    }

    #[test]
    fn a_user_has_as_many_sessions_as_the_limit_and_no_more() {
        let mut sessions = Sessions::new(Some(2));
        assert_eq!(sessions.enter(entry(1, "u"), None), Entrance::Open);
        assert_eq!(sessions.enter(entry(2, "u"), None), Entrance::Open);
        assert_eq!(sessions.enter(entry(3, "u"), None), Entrance::OverLimit);
        assert_eq!(sessions.enter(entry(4, "v"), None), Entrance::Open);
        sessions.exit(SessionId(1), "u");
        assert_eq!(sessions.enter(entry(5, "u"), None), Entrance::Open);
        assert_eq!(sessions.counts(), DirectoryCounts { clients: 3, users: 2 });
    }

    #[test]
    fn a_command_reaches_its_audience_alone() {
        let mut sessions = Sessions::new(None);
        for (session, user) in [(1, "u"), (2, "u"), (3, "u"), (4, "v")] {
            sessions.enter(entry(session, user), None);
        }
        let tell = |client: Option<u128>, except: &[u128]| {
            let audience = Audience {
                user: "u".into(),
                client: client.map(ClientId),
                except: except.iter().copied().map(ClientId).collect(),
            };
            sessions.tell(&audience, &disconnect())
        };
        assert_eq!(tell(None, &[]), 3);
        assert_eq!(tell(None, &[2]), 2);
        assert_eq!(tell(Some(1), &[]), 1);
        assert_eq!(tell(Some(4), &[]), 0);
    }

    #[test]
    fn the_last_session_of_a_user_leaves_nothing_behind() {
        let mut sessions = Sessions::new(None);
        sessions.enter(entry(1, "u"), None);
        sessions.exit(SessionId(1), "u");
        sessions.exit(SessionId(1), "u");
        assert!(sessions.by_user.is_empty());
        assert_eq!(sessions.counts(), DirectoryCounts::default());
    }
}
