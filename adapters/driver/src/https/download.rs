//! Calls whose answers are streamed, with their redirects.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use ringcentral_ws_adapter::{Redirects, body_is_late, content_length};
use ringcentral_ws_core::HttpFailure;

use super::{Https, HttpsSender};
use crate::download::Download;
use crate::runtime::{Runtime, within};

impl<R: Runtime> Https<R> {
    /// Makes a call by `sender` and leaves the body of a success unread. Redirects of GET and HEAD are followed, to the
    /// server itself and to content hosts.
    pub(crate) async fn download(
        &self,
        sender: Arc<dyn HttpsSender>,
        request: Request<Bytes>,
    ) -> Result<(Response<Bytes>, Option<Download>), HttpFailure> {
        let mut redirects = Redirects::new(&request, self.net.limits.redirects)?;
        loop {
            let answer = Arc::clone(&sender).stream(redirects.next(&request, &self.net.content)?).await;
            let answer = answer.map_err(|failure| redirects.failed(failure))?;
            if !redirects.follow(&answer)? {
                return self.deliver(answer).await;
            }
        }
    }

    /// A success is handed on unread, anything else is read at once.
    async fn deliver(&self, answer: Response<Download>) -> Result<(Response<Bytes>, Option<Download>), HttpFailure> {
        let (head, body) = answer.into_parts();
        if head.status.is_success() {
            let body = body.within(self.client_end(), content_length(&head.headers));
            return Ok((Response::from_parts(head, Bytes::new()), Some(body)));
        }
        let limit = self.net.limits.response_bytes;
        match within(&self.runtime, self.net.limits.response_body, body.read_whole(limit)).await {
            None => Err(body_is_late()),
            Some(body) => Ok((Response::from_parts(head, body?), None)),
        }
    }
}
