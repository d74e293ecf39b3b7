//! Publish by a client.

use bytes::Bytes;

use super::action::{Actions, Request};
use super::answer::Expected;
use super::{Failure, Session};
use crate::access::token::Operation;
use crate::base::Encoding;
use crate::channel::Publication;
use crate::protocol::{ErrorCode, PublishRequest, is_json};

impl Session {
    pub(super) fn publish(
        &mut self,
        id: u32,
        request: PublishRequest,
        actions: &mut Actions,
    ) -> Result<(), Failure> {
        let channel = self.channel(&request.channel)?;
        let namespace = self.namespace(&channel)?;
        if request.r#type != 0 {
            return Err(ErrorCode::NotAvailable.because("type: only streams (0)").into());
        }
        if request.data.is_empty() {
            return Err(ErrorCode::BadRequest.because("data: empty").into());
        }
        if !self.permit(Operation::Publish, channel.as_str(), &namespace) {
            return Err(ErrorCode::PermissionDenied.into());
        }
        if self.origin.encoding == Encoding::Protobuf && !namespace.options.binary {
            is_json(&request.data)
                .map_err(|fault| ErrorCode::BadRequest.because(format_args!("data: {fault}")))?;
        }
        let info = match self.subscriptions.find(channel.as_str()) {
            Some(subscription) => subscription.details.clone(),
            None => self.details(Bytes::new()),
        };
        let publication = Publication {
            // A copy: the frame it stands in may be much larger, and history keeps it.
            data: Bytes::copy_from_slice(&request.data),
            info: Some(info),
            delta: namespace.options.delta_publish,
            ..Publication::default()
        };
        self.request(
            Request::Publish { channel, publication },
            Expected::Published { id },
            actions,
        );
        Ok(())
    }
}
