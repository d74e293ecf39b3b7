//! What a client may ask about a channel: presence and history.

use super::action::{Actions, Request};
use super::answer::Expected;
use super::geo::Named;
use super::{Failure, Session};
use crate::access::token::Operation;
use crate::channel::{Channel, HistoryQuery, NamespaceOptions, Since};
use crate::protocol::{ErrorCode, HistoryRequest};

impl Session {
    pub(super) fn presence(
        &mut self,
        id: u32,
        name: &str,
        actions: &mut Actions,
    ) -> Result<(), Failure> {
        let channel = self.open(name, Operation::Presence, |options| options.presence)?;
        self.request(Request::Presence { channel }, Expected::Presence { id }, actions);
        Ok(())
    }

    pub(super) fn presence_stats(
        &mut self,
        id: u32,
        name: &str,
        actions: &mut Actions,
    ) -> Result<(), Failure> {
        let channel = self.open(name, Operation::Presence, |options| options.presence)?;
        self.request(Request::PresenceStats { channel }, Expected::PresenceStats { id }, actions);
        Ok(())
    }

    pub(super) fn history(
        &mut self,
        id: u32,
        request: HistoryRequest,
        actions: &mut Actions,
    ) -> Result<(), Failure> {
        let keeps = NamespaceOptions::keeps_history;
        let channel = self.open(&request.channel, Operation::History, keeps)?;
        let most = self.context.options.history_max_publication_limit;
        // A negative limit asks for all.
        let limit = usize::try_from(request.limit).map_or(most, |limit| limit.min(most));
        let since =
            request.since.map(|position| Since { offset: position.offset, epoch: position.epoch });
        let epoch = since.as_ref().map(|since| since.epoch.clone());
        let query = HistoryQuery { limit, since, reverse: request.reverse, audience: None };
        let expected = Expected::History { id, epoch };
        self.request(Request::History { channel, query }, expected, actions);
        Ok(())
    }

    /// The channel, if its namespace has the feature and the client may use it.
    fn open(
        &self,
        name: &str,
        operation: Operation,
        has: impl FnOnce(&NamespaceOptions) -> bool,
    ) -> Result<Channel, Failure> {
        let Named { base: channel, namespace, .. } = self.named(name)?;
        if !has(&namespace.options) {
            return Err(ErrorCode::NotAvailable.into());
        }
        if !self.permit(operation, channel.as_str(), &namespace) {
            return Err(ErrorCode::PermissionDenied.into());
        }
        Ok(channel)
    }
}
