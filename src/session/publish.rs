//! Publish by a client.

use bytes::Bytes;

use super::action::{Actions, Request};
use super::answer::Expected;
use super::{Failure, Session};
use crate::access::token::Operation;
use crate::base::{Encoding, Now};
use crate::channel::{GeoKind, Publication};
use crate::protocol::{ErrorCode, PublishRequest, is_json};

impl Session {
    pub(super) fn publish(
        &mut self,
        id: u32,
        request: PublishRequest,
        now: Now,
        actions: &mut Actions,
    ) -> Result<(), Failure> {
        let named = self.named(&request.channel)?;
        if named.geo().is_some_and(|geo| geo.kind == GeoKind::Objects) {
            return self.publish_object(id, &named, &request, now, actions);
        }
        let (channel, namespace) = (named.base, named.namespace);
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
        let subscription = self.subscriptions.iter().find(|one| *one.base() == channel);
        let info = match subscription {
            Some(subscription) => subscription.details.clone(),
            None => self.details(Bytes::new()),
        };
        let mut publication = Publication {
            // A copy: the frame it stands in may be much larger, and history keeps it.
            data: Bytes::copy_from_slice(&request.data),
            info: Some(info),
            delta: namespace.options.delta_publish,
            ..Publication::default()
        };
        if let Some(geo) = &namespace.options.geo {
            self.check_event(&publication, geo)?;
            geo.locate(&mut publication).map_err(|fault| ErrorCode::BadRequest.because(fault))?;
        }
        self.request(
            Request::Publish { channel, publication },
            Expected::Published { id },
            actions,
        );
        Ok(())
    }
}
