//! REST requests of a client.

use std::future::poll_fn;
use std::time::Duration;

use futures_util::future::select;
use http::Method;
use ringcentral_ws_adapter::{
    Attempt, CallError, Missed, Request, RequestError, RequestErrorKind, Response, RetryAfter, Streamed, Tries,
    messages_in, named, request_to, request_with_json, response, sms_in,
};
use ringcentral_ws_api::Message;
use ringcentral_ws_api::payloads::InstantMessage;
use ringcentral_ws_core::{Body, Cause, CommandError, Event, Gap, RequestLine, RequestOptions};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CancelOnDrop, Client};
use crate::command::{Answered, Command, send};
use crate::download::Download;

impl<R> Client<R> {
    /// Makes a GET request and waits for its answer.
    ///
    /// Requests go over HTTPS, or over the WebSocket with
    /// [`Config::rest_over_websocket`](ringcentral_ws_core::Config::rest_over_websocket)
    /// ([REQ-5](ringcentral_ws_core::protocol#req-5)). Every status is a response; [`Response::error_for_status`] makes
    /// errors of those from 400 on. The path begins with `/`, and its query is percent-encoded, as
    /// [`with_query`](crate::with_query) writes it.
    ///
    /// Over the WebSocket an answer comes in line with the notifications. While one is awaited, notifications are read
    /// and put into the event queue, up to `IoLimits::event_bytes` (64 MiB). When the queue is that full, reading stops
    /// and the answer is stuck behind the events: the request times out, and may have run. So where many notifications
    /// come, do not await requests in the task that takes events; spawn them.
    ///
    /// Dropping the future cancels the request.
    ///
    /// ```
    /// # use ringcentral_ws_driver::Client;
    /// # async fn run<R>(client: &Client<R>) -> Result<(), Box<dyn std::error::Error>> {
    /// let me = client.get("/restapi/v1.0/account/~/extension/~").await?.error_for_status()?;
    /// let me: serde_json::Value = me.json()?;
    /// println!("{}", me["name"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RequestError`], which says whether the request may have run.
    pub async fn get(&self, path: &str) -> Result<Response, RequestError> {
        self.request(request_to(Method::GET, path)?).await
    }

    /// Makes a POST request with `value` as its body in JSON. What [`get`](Self::get) says holds here too.
    ///
    /// ```
    /// # use ringcentral_ws_driver::Client;
    /// # async fn run<R>(client: &Client<R>) -> Result<(), Box<dyn std::error::Error>> {
    /// let sms = serde_json::json!({
    ///     "from": { "phoneNumber": "+16505550100" },
    ///     "to": [{ "phoneNumber": "+16505550101" }],
    ///     "text": "hello",
    /// });
    /// client.post("/restapi/v1.0/account/~/extension/~/sms", &sms).await?.error_for_status()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RequestError`]. If it [`may_have_run`](RequestError::may_have_run), sending it again may do it twice.
    pub async fn post<T: Serialize + ?Sized>(&self, path: &str, value: &T) -> Result<Response, RequestError> {
        self.request(request_with_json(Method::POST, path, value)?).await
    }

    /// Makes a PUT request with `value` as its body in JSON. What [`get`](Self::get) says holds here too.
    ///
    /// # Errors
    ///
    /// [`RequestError`], which says whether the request may have run.
    pub async fn put<T: Serialize + ?Sized>(&self, path: &str, value: &T) -> Result<Response, RequestError> {
        self.request(request_with_json(Method::PUT, path, value)?).await
    }

    /// Makes a DELETE request without a body. What [`get`](Self::get) says holds here too.
    ///
    /// # Errors
    ///
    /// [`RequestError`], which says whether the request may have run.
    pub async fn delete(&self, path: &str) -> Result<Response, RequestError> {
        self.request(request_to(Method::DELETE, path)?).await
    }

    /// Makes a REST request with any method, headers and body. What [`get`](Self::get) says holds here too.
    ///
    /// Multipart and other bodies that are no JSON, requests for binary content, and paths below `/restapi/oauth/` go
    /// over HTTPS always. For a body of JSON set the header `Content-Type: application/json`.
    ///
    /// # Errors
    ///
    /// [`RequestError`], which says whether the request may have run.
    pub async fn request(&self, request: http::Request<Body>) -> Result<Response, RequestError> {
        let _under_way = self.work.begin();
        let line = RequestLine::of(&request);
        let attempt = Attempt::begin(line.method());
        let ended = self.tries(request, &attempt).await;
        attempt.end(ended.as_ref().map_or_else(RequestError::may_have_run, Response::ran));
        let closing = |error: RequestError| error.while_closing(line.method());
        named(if self.work.is_closing() { ended.map_err(closing) } else { ended }, &line)
    }

    async fn tries(&self, request: http::Request<Body>, attempt: &Attempt) -> Result<Response, RequestError> {
        if !attempt.goes_on() {
            return Err(RequestErrorKind::Cancelled { sent: false }.into());
        }
        let Some(rule) = self.retry else { return response(self.call(request, None).await?.answer) };
        let mut tries = Tries::new(rule);
        loop {
            let ended = self.call(request.clone(), None).await.and_then(|answered| response(answered.answer));
            let penalties = self.work.penalties();
            let Some(mut pause) = tries.ended(request.method(), &ended, penalties, self.tasks.elapsed()) else {
                return ended;
            };
            attempt.waits();
            while !pause.is_zero() {
                if !self.pause(pause).await {
                    return Err(RequestErrorKind::Closing.into());
                }
                if !attempt.goes_on() {
                    return ended;
                }
                if self.states().get().is_closed() {
                    break;
                }
                let Some(more) = tries.paused(penalties, self.tasks.elapsed()) else { return ended };
                pause = more;
            }
        }
    }

    /// A handle of the same session whose calls wait up to this limit, a `Duration` or a [`RetryAfter`] for more, and are then
    /// made again: GET, HEAD and OPTIONS after 429 and 503, all of them when they could not be sent. Without it such an answer
    /// or error is returned at once. It holds for all calls but downloads.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # use ringcentral_ws_driver::{Client, RetryAfter};
    /// # async fn run<R>(client: &Client<R>) -> Result<(), Box<dyn std::error::Error>> {
    /// let waits = client.retry_after(Duration::from_secs(60));
    /// let me = waits.get("/restapi/v1.0/account/~/extension/~").await?.error_for_status()?;
    /// // POST, PUT and DELETE wait out 429 too, and no 503: a call that was too many did not run.
    /// let waits = client.retry_after(RetryAfter::up_to(Duration::from_secs(60)).writes_too());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// When the session ends during a wait, the wait ends too, and the call is refused. When the program closes its client,
    /// also with [`close_when`](Self::close_when), the wait ends at once with [`RequestErrorKind::Closing`].
    #[must_use]
    pub fn retry_after(&self, limit: impl Into<RetryAfter>) -> Self {
        Self { retry: Some(limit.into()), ..self.clone() }
    }

    /// The SMS that came in during a gap, the oldest first, without those that the user sent
    /// ([`Gap::missed_sms_query`](ringcentral_ws_core::Gap::missed_sms_query)): all pages of the message store's list.
    /// It waits out 429, 503 and a network that is away for up to a minute, or as [`retry_after`](Self::retry_after) says.
    ///
    /// The list begins a minute before the gap, because notifications may have been on their way. So it overlaps with
    /// what was delivered: handle each message by its id, once. [`sms_of`](Self::sms_of) gives the SMS of gaps and of
    /// notifications alike, each once.
    ///
    /// ```
    /// # use ringcentral_ws_driver::{CallError, Client, Event};
    /// # async fn take<R>(client: &Client<R>, event: Event) -> Result<(), CallError> {
    /// if let Event::Gap(gap) = event {
    ///     for sms in client.missed_sms(&gap).await? {
    ///         println!("{}", sms.text());
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError`]: the list cannot be had now. A list of more than 100 pages of 1000 messages is not read.
    pub async fn missed_sms(&self, gap: &Gap) -> Result<Vec<InstantMessage>, CallError> {
        self.listed(Missed::sms(gap)).await
    }

    /// The messages that an event brings, of whatever kind and however they came in: that of a notification, those that a
    /// gap hides, and those of an [`Event::Backfill`](ringcentral_ws_core::Event::Backfill); the oldest first, without
    /// those that the user sent. Of other events there are none.
    ///
    /// A notification brings what the filters deliver. Of a gap the message store is listed, as
    /// [`missed_sms`](Self::missed_sms) does it, but with all kinds: look at the [kind](Message::kind), and pass over those
    /// that the program has no filter for. Of a client with [`Builder::backfill`](crate::Builder::backfill) a gap has none,
    /// because the `Backfill` after it has them.
    ///
    /// Around a gap a message comes as a notification and in the list. This client gives it once: not again what another
    /// event gave, of the last 4096 messages. Only a notification brings a message again, if it was deleted or transcribed
    /// since. The same event gives the same again. A program that must handle each one once over restarts too notes its
    /// id, for instance with [`StateFile::once`](crate::StateFile::once).
    ///
    /// ```
    /// # use ringcentral_ws_driver::{CallError, Client, Events, Message};
    /// # async fn run<R>(client: &Client<R>, mut events: Events) -> Result<(), CallError> {
    /// while let Some(event) = events.next().await {
    ///     for message in client.messages_of(&event).await? {
    ///         let sender = message.sender().unwrap_or("somebody");
    ///         match &message {
    ///             Message::Sms(sms) => println!("{sender} writes: {}", sms.text()),
    ///             Message::Voicemail(_) => println!("{sender} has left a voicemail"),
    ///             _ => {}
    ///         }
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError`], for a gap alone: the list cannot be had now. A program that ends with it finds the messages after its
    /// next start, which begins with a gap.
    pub async fn messages_of(&self, event: &Event) -> Result<Vec<Message>, CallError> {
        let found = match event {
            Event::Gap(gap) if !self.fills_gaps => self.listed(Missed::messages(gap)).await?,
            other => messages_in(other),
        };
        Ok(self.given.new_of(event, found))
    }

    /// The SMS among [`messages_of`](Self::messages_of), with the texts between extensions that a notification or a
    /// `Backfill` brings; what is said there holds here too. Of a gap only SMS are listed.
    ///
    /// ```
    /// # use ringcentral_ws_driver::{CallError, Client, Events};
    /// # async fn run<R>(client: &Client<R>, mut events: Events) -> Result<(), CallError> {
    /// while let Some(event) = events.next().await {
    ///     for sms in client.sms_of(&event).await? {
    ///         println!("{}", sms.text());
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `messages_of`.
    pub async fn sms_of(&self, event: &Event) -> Result<Vec<InstantMessage>, CallError> {
        let found = match event {
            Event::Gap(gap) if !self.fills_gaps => self.missed_sms(gap).await?,
            other => sms_in(other),
        };
        Ok(self.given.new_of(event, found))
    }

    async fn listed<M: DeserializeOwned + Clone + Into<Message>>(
        &self,
        mut missed: Missed<M>,
    ) -> Result<Vec<M>, CallError> {
        let waits = self.retry_after(self.retry.unwrap_or(RetryAfter::up_to(Duration::from_secs(60))));
        while missed.answered(waits.get(&missed.path()).await?)? {}
        Ok(missed.into_messages())
    }

    /// Waits, but not beyond the end of the session. `false`: the program ends its client.
    async fn pause(&self, pause: Duration) -> bool {
        let mut states = self.states();
        let ended = Box::pin(states.wait_for(|state| state.is_closed()));
        let closing = poll_fn(|cx| self.work.poll_closing(cx));
        let _ = select(select(self.tasks.sleep(pause), ended), closing).await;
        !self.work.is_closing()
    }

    /// Makes a REST request with [`RequestOptions`]: a deadline of its own, a repetition after a lost connection, or
    /// HTTPS whatever the configuration says. They replace options among the request's extensions.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use ringcentral_ws_driver::{Body, RequestOptions, http};
    /// # use ringcentral_ws_driver::Client;
    /// # async fn run<R>(client: &Client<R>) -> Result<(), Box<dyn std::error::Error>> {
    /// let request = http::Request::get("/restapi/v1.0/account/~").body(Body::empty())?;
    /// let options = RequestOptions::new().deadline(Duration::from_secs(5)).repeatable();
    /// let response = client.request_with(request, options).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RequestError`], which says whether the request may have run.
    pub async fn request_with(
        &self,
        mut request: http::Request<Body>,
        options: RequestOptions,
    ) -> Result<Response, RequestError> {
        request.extensions_mut().insert(options);
        self.request(request).await
    }

    /// Makes a REST request over HTTPS whose body is read as it arrives, for recordings, faxes and other large content.
    /// It returns when the head of the answer is there; that is what the deadline of the request limits. Each read of
    /// the body may take `IoLimits::download_read`.
    ///
    /// The URI is a path, or an absolute address that the server gave, such as the `contentUri` of a message. The
    /// access token goes with it, so it must lead to the server or a content host
    /// ([`Builder::content_hosts`](crate::Builder::content_hosts)), and so must redirects, which are followed. The body
    /// of an error status is read at once, for
    /// [`ApiError::from_response`](ringcentral_ws_core::ApiError::from_response).
    ///
    /// # Errors
    ///
    /// [`RequestError`], which says whether the request may have run. Of the body:
    /// [`DownloadError`](crate::DownloadError).
    pub async fn download(&self, request: http::Request<Body>) -> Result<http::Response<Download>, RequestError> {
        let _under_way = self.work.begin();
        let line = RequestLine::of(&request);
        let (request, streamed) = self.content.streamed(request).map_err(|error| error.of(&line))?;
        let answered = self.call(request, Some(streamed)).await.map_err(|error| error.of(&line))?;
        let Answered { answer, body } = answered;
        // What has no body to stream was read at once.
        Ok(named(response(answer), &line)?
            .into_inner()
            .map(|whole| body.unwrap_or_else(|| Download::whole(whole.as_bytes().clone()))))
    }

    async fn call(&self, request: http::Request<Body>, streamed: Option<Streamed>) -> Result<Answered, RequestError> {
        // Made first, so dropped last: by then the reply's end is gone, and a request not yet taken is never sent.
        let mut guard = CancelOnDrop(Some(&self.cancels));
        let (reply, answer) = async_channel::bounded(1);
        let (request, streamed) = (Box::new(request), streamed.map(Box::new));
        let command = Command::Request(Request { request, streamed, ticket: (), reply });
        if let Err(refused) = send(&self.commands, command).await {
            guard.0 = None;
            let Command::Request(Request { request, .. }) = refused else {
                return Err(RequestErrorKind::NotSent(Cause::Closed).into());
            };
            return Err(RequestErrorKind::Refused(Box::new(CommandError::Closed(*request))).into());
        }
        let answer = answer.recv().await;
        guard.0 = None;
        answer.map_err(|_| RequestErrorKind::Unknown(Cause::Closed).into())
    }
}
