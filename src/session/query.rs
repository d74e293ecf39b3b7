//! What a client may ask about a channel: presence and history.

use std::sync::Arc;

use super::action::{Actions, Request};
use super::answer::Expected;
use super::geo::Named;
use super::{Failure, Session};
use crate::access::token::Operation;
use crate::channel::{Audience, Channel, HistoryQuery, Namespace, NamespaceOptions, Since};
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
        // A token that bounds places bounds what has been there as well.
        let within = self.geo_bounds().and_then(|bounds| bounds.within.clone());
        let audience = within
            .filter(|_| self.context.namespaces.find(channel.as_str()).is_some_and(has_places))
            .map(|area| Arc::new(Audience { area, ..Audience::default() }));
        let query = HistoryQuery { limit, since, reverse: request.reverse, audience };
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

fn has_places(namespace: &Arc<Namespace>) -> bool {
    namespace.options.geo.is_some()
}
