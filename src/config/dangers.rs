//! What is allowed but probably a mistake: warnings.

use std::net::SocketAddr;

use crate::access::token::TokenOptions;
use crate::config::check::Check;
use crate::config::options::Draft;

/// The key of the warning that no token can be verified.
pub(crate) const NO_KEY: &str = "client.token";

impl Check<'_> {
    pub(super) fn dangers(&mut self) {
        self.exposure();
        self.proxies();
        let Draft { session, server, token, subscription, subscription_enabled, .. } = self.draft;
        let open = [server.http, server.quic].into_iter().filter_map(beyond_this_machine).min();
        if let Some(address) = open.filter(|_| session.insecure) {
            let message = format!("anyone who reaches {address} may do anything");
            self.report.warn("client.insecure", message);
        }
        if server.api.enabled && server.api.insecure {
            let reach = server.http.map_or_else(|| "it".to_owned(), |address| address.to_string());
            let message = format!("anyone who reaches {reach} may use the server API");
            self.report.warn("http_api.insecure", message);
        }
        if !has_key(token) && !session.insecure && !session.allow_anonymous_connect_without_token {
            let message = "has no key: no client can connect";
            self.report.warn(NO_KEY, message);
        }
        let message = match (*subscription_enabled, has_key(subscription)) {
            (true, false) => "has no key: no subscription token is accepted",
            (false, true) => "has no effect: client.subscription_token.enabled is false",
            _ => return,
        };
        self.report.warn("client.subscription_token", message);
    }

    /// What others than this machine reach without a certificate of its own.
    fn exposure(&mut self) {
        let Draft { server, certificate, .. } = self.draft;
        if certificate.is_some() {
            return;
        }
        let http = beyond_this_machine(server.http).filter(|_| server.proxies.is_empty());
        if let Some(address) = http {
            let message = format!(
                "tokens and the API key come to {address} in the clear, unless a proxy in front \
                 speaks TLS: there is no tls.certificate"
            );
            self.report.warn("listen.http", message);
        }
        if let Some(address) = beyond_this_machine(server.quic) {
            let message = format!(
                "{address} shows a certificate for development, which clients trust by its hash \
                 alone and which expires 13 days after the start: there is no tls.certificate"
            );
            self.report.warn("listen.webtransport", message);
        }
    }

    fn proxies(&mut self) {
        let key = "listen.proxy_protocol_from";
        let server = &self.draft.server;
        for network in server.proxies.iter().filter(|network| network.prefix_len() == 0) {
            let message = format!("{network}: anybody may say that it is any address");
            self.report.warn(key, message);
        }
        let is_meant = self.layer.node.contains_key("listen.webtransport");
        let quic = server.quic.filter(|_| is_meant && !server.proxies.is_empty());
        if let Some(address) = quic {
            let message = format!(
                "does not concern listen.webtransport: clients reach {address} past the proxies, \
                 unless it is \"off\""
            );
            self.report.warn(key, message);
        }
    }
}

/// Where a listener is that others than this machine reach.
fn beyond_this_machine(listener: Option<SocketAddr>) -> Option<SocketAddr> {
    listener.filter(|address| !address.ip().is_loopback())
}

fn has_key(token: &TokenOptions) -> bool {
    token.hmac_secret_key.is_some()
        || token.rsa_public_key.is_some()
        || token.ecdsa_public_key.is_some()
        || token.ed25519_public_key.is_some()
}
