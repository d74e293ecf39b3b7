//! What commands that go through the server API share: where it is, how it is called, how its
//! answers are shown.

use clap::Args;
use serde_json::value::RawValue;

use super::secret::Secret;
use super::trust::TrustArgs;
use super::{Outcome, complain, print};
use crate::client::{ApiClient, ApiError, Trust};

#[derive(Clone, Debug, Args)]
pub(super) struct BackendArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    trust: TrustArgs,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ApiArgs {
    /// The server API, http:// or https://
    #[arg(
        long,
        value_name = "URL",
        env = "NEARCAST_API",
        default_value = "http://127.0.0.1:8000/api"
    )]
    api: String,
    /// The server API's key
    #[arg(long, value_name = "KEY", env = "NEARCAST_API_KEY", hide_env_values = true)]
    key: Option<Secret>,
}

impl ApiArgs {
    pub(super) async fn open(&self, trust: &Trust) -> Result<ApiClient, ApiError> {
        ApiClient::open(&self.api, self.key.as_ref().map(Secret::expose), trust).await
    }
}

impl BackendArgs {
    /// Calls one method and prints its result: as it is with `json`, else as `show` writes it.
    pub(super) fn run(
        &self,
        method: &str,
        body: String,
        json: bool,
        show: impl FnOnce(&RawValue) -> Option<String>,
    ) -> Outcome {
        let called = super::on_this_thread(async {
            self.api.open(&self.trust.trust()).await?.call(method, body).await
        });
        let result = match called {
            Err(fault) => {
                complain(&fault);
                return Outcome::Failed;
            }
            Ok(Err(fault)) => {
                complain(&fault);
                return Outcome::Failed;
            }
            Ok(Ok(result)) => result,
        };
        if json {
            print(result.get());
            return Outcome::Done;
        }
        match show(&result) {
            Some(text) => {
                print(&text);
                Outcome::Done
            }
            None => {
                complain(&format_args!(
                    "{}: the answer is not one of the server API",
                    self.api.api
                ));
                Outcome::Failed
            }
        }
    }
}
