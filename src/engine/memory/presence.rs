//! Presence in this process's memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::base::{ClientId, Partition};
use crate::channel::{Channel, ClientDetails};
use crate::engine::{EngineError, Member, Pending, Presence, PresenceCounts};

/// Who is in which channel. It is as large as the subscriptions of the node that ask for it, whose
/// number is bounded where they are made; a channel without members takes no memory.
#[derive(Debug)]
pub(crate) struct MemoryPresence {
    /// One lock for each partition, by its index, held for one operation (decision 0003).
    partitions: Box<[Mutex<HashMap<Channel, Members>>]>,
}

#[derive(Debug, Default)]
struct Members {
    clients: HashMap<ClientId, Arc<ClientDetails>>,
    /// Clients of each user. Clients without user id count as one user, as in Centrifugo.
    users: HashMap<String, usize>,
}

impl MemoryPresence {
    pub(crate) fn new() -> Self {
        Self { partitions: Partition::all().map(|_| Mutex::default()).collect() }
    }

    fn lock(
        &self,
        channel: &Channel,
    ) -> Result<MutexGuard<'_, HashMap<Channel, Members>>, EngineError> {
        self.partitions[channel.partition().index()]
            .lock()
            .map_err(|_poisoned| EngineError::Unavailable("a partition has failed"))
    }

    /// How many channels have an entry.
    #[cfg(test)]
    pub(super) fn channels(&self) -> usize {
        self.partitions.iter().map(|channels| channels.lock().unwrap().len()).sum()
    }
}

impl Presence for MemoryPresence {
    fn add<'a>(
        &'a self,
        channel: &'a Channel,
        client: ClientId,
        details: Arc<ClientDetails>,
    ) -> Pending<'a, Result<(), EngineError>> {
        Box::pin(async move {
            let mut channels = self.lock(channel)?;
            match channels.get_mut(channel) {
                Some(members) => members.add(client, details),
                None => channels.entry(channel.clone()).or_default().add(client, details),
            }
            Ok(())
        })
    }

    fn remove<'a>(
        &'a self,
        channel: &'a Channel,
        client: ClientId,
    ) -> Pending<'a, Result<(), EngineError>> {
        Box::pin(async move {
            let mut channels = self.lock(channel)?;
            if let Some(members) = channels.get_mut(channel) {
                members.remove(client);
                if members.clients.is_empty() {
                    assert!(members.users.is_empty(), "users without clients");
                    channels.remove(channel);
                }
            }
            Ok(())
        })
    }

    fn members<'a>(
        &'a self,
        channel: &'a Channel,
    ) -> Pending<'a, Result<Vec<Member>, EngineError>> {
        Box::pin(async move {
            let channels = self.lock(channel)?;
            let Some(members) = channels.get(channel) else { return Ok(Vec::new()) };
            Ok(members.clients.iter().map(|(id, details)| (*id, Arc::clone(details))).collect())
        })
    }

    fn counts<'a>(
        &'a self,
        channel: &'a Channel,
    ) -> Pending<'a, Result<PresenceCounts, EngineError>> {
        Box::pin(async move {
            let channels = self.lock(channel)?;
            let Some(members) = channels.get(channel) else { return Ok(PresenceCounts::default()) };
            Ok(PresenceCounts { clients: members.clients.len(), users: members.users.len() })
        })
    }
}

impl Members {
    fn add(&mut self, client: ClientId, details: Arc<ClientDetails>) {
        self.remove(client);
        match self.users.get_mut(&details.user) {
            Some(count) => *count += 1,
            None => {
                self.users.insert(details.user.clone(), 1);
            }
        }
        self.clients.insert(client, details);
    }

    fn remove(&mut self, client: ClientId) {
        let Some(details) = self.clients.remove(&client) else { return };
        let count = self.users.get_mut(&details.user).expect("a member's user is counted");
        *count -= 1;
        if *count == 0 {
            self.users.remove(&details.user);
        }
    }
}
