//! What connections and calls are made with.

use std::sync::Arc;

use rustls::ClientConfig;
use url::Url;

use crate::content::ContentHosts;
use crate::limits::IoLimits;
use crate::proxy::{Proxy, ProxyError};
use crate::start_error::StartError;
use crate::tls::tls_for;

/// What connections and calls are made with. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Net {
    /// Limits of input and output.
    pub limits: Arc<IoLimits>,
    /// `None` only when the server is this machine and speaks in the clear.
    pub tls: Option<Arc<ClientConfig>>,
    /// The proxy, if there is one.
    pub proxy: Option<Arc<Proxy>>,
    /// Where downloads may go, and whether calls may leave this machine in the clear.
    pub content: Arc<ContentHosts>,
}

impl Net {
    /// For calls outside of a session: with the proxy of the environment, and no content hosts.
    ///
    /// # Errors
    ///
    /// [`StartError`] when the environment names a proxy that cannot be used, or there are no TLS settings.
    pub fn outside_session(limits: IoLimits, tls: Option<Arc<ClientConfig>>) -> Result<Self, StartError> {
        let server = Url::parse("https://localhost").map_err(|_| ProxyError::Address)?;
        let content = Arc::new(ContentHosts { server, hosts: Vec::new(), allow_insecure: false });
        Ok(Self {
            limits: Arc::new(limits),
            tls: tls_for(tls, true)?,
            proxy: Proxy::from_env()?.map(Arc::new),
            content,
        })
    }
}
