//! Calls whose answers are streamed, with their redirects.

use bytes::Bytes;
use http::{Request, Response};
use ringcentral_ws_adapter::{Redirects, content_length};
use ringcentral_ws_core::HttpFailure;

use super::{Https, HttpsSender};
use crate::abort::Abort;
use crate::download::Download;

impl Https {
    /// Makes a call by `sender` and leaves the body of a success unread. Redirects of GET and HEAD are followed, to the
    /// server itself and to content hosts. `abort` ends the call and then the body.
    pub(crate) fn download(
        &self,
        sender: &dyn HttpsSender,
        request: &Request<Bytes>,
        abort: &Abort,
    ) -> Result<(Response<Bytes>, Option<Download>), HttpFailure> {
        let limits = &self.net.limits;
        let mut redirects = Redirects::new(request, limits.redirects)?;
        let answer = loop {
            let answer = sender.stream(redirects.next(request, &self.net.content)?);
            let answer = answer.map_err(|failure| redirects.failed(failure))?;
            if !redirects.follow(&answer)? {
                break answer;
            }
        };
        let (head, body) = answer.into_parts();
        let body = body.within(abort.clone(), content_length(&head.headers));
        if !head.status.is_success() {
            let whole = body.read_whole(limits.response_bytes, limits.response_body)?;
            return Ok((Response::from_parts(head, whole), None));
        }
        Ok((Response::from_parts(head, Bytes::new()), Some(body)))
    }
}
