//! New tokens for a connection or a subscription that would expire.

use super::action::Actions;
use super::subscription::seconds_until;
use super::{Failure, Session};
use crate::access::token::TokenError;
use crate::base::Now;
use crate::protocol::{
    Disconnect, ErrorCode, RefreshRequest, RefreshResult, Reply, SubRefreshRequest,
    SubRefreshResult,
};

impl Session {
    pub(super) fn refresh(
        &mut self,
        id: u32,
        request: &RefreshRequest,
        now: Now,
        actions: &mut Actions,
    ) -> Result<(), Failure> {
        if request.token.is_empty() {
            return Err(ErrorCode::BadRequest.because("token: empty").into());
        }
        let claims = match self.context.tokens.verify_connect(&request.token, now.unix) {
            Ok(claims) => claims,
            Err(TokenError::Expired) => return Err(ErrorCode::TokenExpired.into()),
            Err(fault) => return Err(Disconnect::INVALID_TOKEN.because(fault).into()),
        };
        if claims.user != self.identity.user {
            return Err(Disconnect::INVALID_TOKEN.because("the token is for another user").into());
        }
        if claims.expire_at.is_some_and(|at| at <= now.unix) {
            return Err(ErrorCode::Expired.into());
        }
        self.expire_at = claims.expire_at;
        self.identity.capabilities = claims.capabilities;
        let bounds = std::mem::replace(&mut self.bounds, claims.geo);
        self.reschedule(now);
        let refresh = Some(RefreshResult {
            client: self.origin.client.to_string(),
            version: self.context.version.to_owned(),
            expires: self.expire_at.is_some(),
            ttl: self.expire_at.map_or(0, |at| seconds_until(at, now)),
        });
        self.reply(id, Reply { refresh, ..Reply::default() }, actions);
        if bounds != self.bounds {
            self.rebind(actions);
        }
        Ok(())
    }

    pub(super) fn sub_refresh(
        &mut self,
        id: u32,
        request: &SubRefreshRequest,
        now: Now,
        actions: &mut Actions,
    ) -> Result<(), Failure> {
        let named = self.named(&request.channel)?;
        let channel = named.full.clone();
        if request.r#type != 0 {
            return Err(ErrorCode::NotAvailable.because("type: only token refresh (0)").into());
        }
        if request.token.is_empty() {
            return Err(ErrorCode::BadRequest.because("token: empty").into());
        }
        if self.subscriptions.find(channel.as_str()).is_none() {
            return Err(ErrorCode::PermissionDenied.because("not subscribed").into());
        }
        let signed = if named.is_area() { &named.full } else { &named.base };
        let claims = self.verify_subscription(&request.token, signed, now)?;
        let subscription = self.subscriptions.find_mut(channel.as_str());
        subscription.expect("found just above").expire_at = claims.expire_at;
        self.reschedule(now);
        let sub_refresh = Some(SubRefreshResult {
            expires: claims.expire_at.is_some(),
            ttl: claims.expire_at.map_or(0, |at| seconds_until(at, now)),
            ..SubRefreshResult::default()
        });
        self.reply(id, Reply { sub_refresh, ..Reply::default() }, actions);
        Ok(())
    }
}
