//! One WebSocket: a bounded queue towards it, whole messages from it, and no waiting anywhere.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use async_tungstenite::tungstenite::{self, Bytes, Message, Utf8Bytes};
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::{AsyncReadExt, AsyncWriteExt, Sink, Stream};
use ringcentral_ws_adapter::{
    IoLimits, MessageLimits, Pressure, ReadFailure, Sending, Target, UNFINISHED, UNREAD_PONGS, Upgrade, is_in_record,
    not_dialled, not_opened,
};
use ringcentral_ws_core::{CloseInfo, OpenFailure, Phase, SecretUrl, Timestamp, Unreadable};

use crate::dial::dial;
use crate::https::Https;
use crate::runtime::{Runtime, within};
use crate::surge::Surge;
use crate::tls::Transport;

/// What came in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    Text(Utf8Bytes),
    Binary(Bytes),
    Control,
    TooLarge(usize),
    /// `Closed` is next.
    Unreadable(Unreadable),
    Closed(CloseInfo),
}

pub(crate) struct Socket<S> {
    stream: WebSocketStream<Surge<Transport<S>>>,
    sending: Sending<Message>,
    /// Something was handed to the stream since it was last flushed.
    dirty: bool,
    /// How long a message may stay unfinished.
    finish_by: Duration,
    /// One has stayed unfinished for longer.
    overdue: bool,
    /// Nothing could be sent for as long, and the peer still sends.
    stuck: bool,
}

/// Opens a WebSocket, with a deadline for each step.
pub(crate) async fn open<R: Runtime>(
    https: &Https<R>,
    url: &SecretUrl,
    message: MessageLimits,
) -> Result<Box<Socket<R::Stream>>, OpenFailure> {
    let limits = &https.net.limits;
    let target = Target::of(url.expose()).ok_or_else(|| not_opened(Phase::Dns, "the address is neither ws nor wss"))?;
    let mut upgrade = Upgrade::new(url)?;
    let stream = dial(&https.runtime, &https.net, &target).await.map_err(not_dialled)?;
    let mut stream = Surge::new(stream);
    let answer = within(&https.runtime, limits.upgrade, ask(&mut upgrade, &mut stream)).await;
    let rest = answer.unwrap_or_else(|| Err(Upgrade::late()))?;
    let config = WebSocketConfig::default()
        .read_buffer_size(limits.socket_buffer)
        .write_buffer_size(limits.socket_buffer)
        .max_message_size(Some(message.bytes))
        .max_frame_size(Some(message.bytes));
    let stream = WebSocketStream::from_partially_read(stream, rest, Role::Client, Some(config)).await;
    Ok(Box::new(Socket::new(stream, limits, message.finish_by)))
}

/// Asks for the upgrade. What came behind the answer belongs to the WebSocket.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(upgrade: &mut Upgrade, stream: &mut S) -> Result<Vec<u8>, OpenFailure> {
    stream.write_all(upgrade.request()).await.map_err(|error| Upgrade::broken(&error))?;
    stream.flush().await.map_err(|error| Upgrade::broken(&error))?;
    let mut piece = [0; 2 << 10];
    loop {
        let count = stream.read(&mut piece).await.map_err(|error| Upgrade::broken(&error))?;
        if let Some(rest) = upgrade.take(&piece[..count])? {
            return Ok(rest);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    fn new(stream: WebSocketStream<Surge<Transport<S>>>, limits: &IoLimits, finish_by: Duration) -> Self {
        Self { stream, sending: Sending::new(limits), dirty: false, finish_by, overdue: false, stuck: false }
    }

    /// A turn of reading begins.
    pub(crate) fn begin_turn(&mut self, now: Timestamp) {
        let below = self.stream.get_mut().below_mut();
        below.begin_turn(now);
        self.overdue |= below.is_overdue(self.finish_by, now);
        self.stuck |= self.sending.is_overdue(self.finish_by, now);
    }

    /// Whether the turn has ended by its own bounds, so that there may be more to read at once.
    pub(crate) fn is_spent(&self) -> bool {
        self.stream.get_ref().below().is_spent()
    }

    /// The peer is not read for a while, or the process was away: that says nothing about a message under way.
    pub(crate) fn pause(&mut self) {
        self.stream.get_mut().below_mut().pause();
        self.sending.pause();
        (self.overdue, self.stuck) = (false, false);
    }

    /// Gives up on the peer if it is in the middle of a message, which the next `receive` reports.
    pub(crate) fn gives_up_within_message(&mut self) -> bool {
        self.overdue = !self.sending.is_over() && self.stream.get_ref().below().is_in_message();
        self.overdue
    }

    /// Takes a message for sending. Beyond the limit the connection counts as lost.
    pub(crate) fn queue_text(&mut self, text: String) {
        let bytes = text.len();
        self.sending.push(Message::text(text), bytes);
    }

    pub(crate) fn queue_close(&mut self, code: u16, reason: &'static str) {
        self.sending.push_last(Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() })));
    }

    /// Sends what it can and says when the Session must be told about the queue. Failures show up once everything
    /// that came before was read.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>) -> Option<Pressure> {
        while !self.sending.is_over() && !self.sending.is_empty() {
            match Pin::new(&mut self.stream).poll_ready(cx) {
                Poll::Pending => break,
                Poll::Ready(Err(error)) => self.sending.breaks(&error.to_string()),
                Poll::Ready(Ok(())) => {
                    let Some(message) = self.sending.pop() else { break };
                    self.dirty = true;
                    if let Err(error) = Pin::new(&mut self.stream).start_send(message) {
                        self.sending.breaks(&error.to_string());
                    }
                }
            }
        }
        if self.dirty && !self.sending.is_over() {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => {
                    self.dirty = false;
                    self.sending.flushed();
                }
                Poll::Ready(Err(error)) => self.sending.breaks(&error.to_string()),
            }
        }
        self.note_failed_writes();
        self.sending.pressure()
    }

    /// The WebSocket is not shown them, so that it goes on reading.
    fn note_failed_writes(&mut self) {
        if let Some(error) = self.stream.get_ref().below().failed() {
            self.sending.breaks(&error.to_string());
        }
    }

    /// The next message. After `Closed` there is none.
    pub(crate) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        if let Some(end) = self.sending.ended() {
            return Poll::Ready(Incoming::Closed(end));
        }
        if std::mem::take(&mut self.overdue) {
            self.sending.end(None, UNFINISHED);
            return Poll::Ready(Incoming::Unreadable(Unreadable::Cut));
        }
        if std::mem::take(&mut self.stuck) {
            return Poll::Ready(self.leave("the server did not stop sending"));
        }
        let next = Pin::new(&mut self.stream).poll_next(cx);
        self.note_failed_writes();
        let next = match next {
            Poll::Ready(next) => next,
            // What is left of what came before is for the next turn.
            Poll::Pending if !self.sending.is_broken() || self.is_spent() => return Poll::Pending,
            Poll::Pending => None,
        };
        Poll::Ready(match next {
            Some(Ok(Message::Text(text))) => Incoming::Text(text),
            Some(Ok(Message::Binary(bytes))) => Incoming::Binary(bytes),
            Some(Ok(Message::Close(frame))) => {
                let (code, reason) =
                    frame.map_or((None, String::new()), |f| (Some(f.code.into()), f.reason.to_string()));
                // The answer to the close frame is on its way; what cannot leave now is not worth waiting for.
                let _ = Pin::new(&mut self.stream).poll_flush(cx);
                let close = self.sending.end(code, &reason);
                // Between two fragments of a message.
                let cut = self.stream.get_ref().below().is_in_message();
                if cut { Incoming::Unreadable(Unreadable::Cut) } else { Incoming::Closed(close) }
            }
            Some(Ok(Message::Ping(payload))) if !self.sending.answers_ping(payload.len()) => self.leave(UNREAD_PONGS),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                // Reading a ping puts its answer into the buffer; nothing else may come to push it out.
                self.dirty = true;
                Incoming::Control
            }
            Some(Err(error)) => self.unread(&error),
            None => self.end("end of the stream"),
        })
    }

    fn unread(&mut self, error: &tungstenite::Error) -> Incoming {
        match ReadFailure::of(error) {
            ReadFailure::TooLarge(size) => {
                // The rest of the message cannot be told from what follows, so the connection ends with it.
                self.sending.end(None, "a message over the size limit");
                Incoming::TooLarge(size)
            }
            ReadFailure::Unreadable(what) => {
                self.sending.end(None, &error.to_string());
                Incoming::Unreadable(what)
            }
            ReadFailure::Ended => self.end(&error.to_string()),
        }
    }

    /// Gives up on a peer that may have sent more than was read, and counts it as sent.
    fn leave(&mut self, reason: &str) -> Incoming {
        self.sending.end_unasked(reason);
        Incoming::Unreadable(Unreadable::Other)
    }

    /// The end without a close frame, which may have come in the middle of a message.
    fn end(&mut self, reason: &str) -> Incoming {
        let close = self.sending.end_unasked(reason);
        let stream = self.stream.get_mut();
        let cut = stream.below().is_in_message() || stream.get_mut().tls().is_some_and(is_in_record);
        if cut { Incoming::Unreadable(Unreadable::Cut) } else { Incoming::Closed(close) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use async_tungstenite::accept_async;
    use futures_util::future::{join, poll_fn};
    use futures_util::{AsyncWriteExt, FutureExt, StreamExt};

    use ringcentral_ws_adapter::TURN_BYTES;

    use super::*;
    use crate::testing::{Memory, Pipe, block_on, net, pipe};

    type Server = WebSocketStream<Pipe>;

    fn connect(limits: IoLimits, max: usize) -> (Box<Socket<Pipe>>, Server) {
        connect_through(256, limits, max)
    }

    fn connect_through(capacity: usize, limits: IoLimits, max: usize) -> (Box<Socket<Pipe>>, Server) {
        let (client, server) = pipe(capacity);
        let runtime = Memory { streams: Arc::new(Mutex::new([client].into())), stuck: false };
        let https = Https::new(runtime, net(limits));
        let url = SecretUrl::new("ws://localhost/ws?access_token=t".parse().unwrap());
        let message = MessageLimits { bytes: max, finish_by: Duration::from_secs(40) };
        let (socket, server) = block_on(join(open(&https, &url, message), accept_async(server)));
        (socket.unwrap(), server.unwrap())
    }

    /// Both halves of a turn: what can be sent is sent, then one message is taken.
    async fn next(socket: &mut Socket<Pipe>) -> Incoming {
        poll_fn(|cx| {
            socket.poll_send(cx);
            socket.poll_receive(cx)
        })
        .await
    }

    // CLAUSE HB-7
    #[test]
    fn pings_are_answered_at_once() {
        let (mut socket, mut server) = connect(IoLimits::default(), 100);
        block_on(async {
            server.send(Message::Ping(Bytes::from_static(b"p"))).await.unwrap();
            assert_eq!(next(&mut socket).await, Incoming::Control);
            assert!(next(&mut socket).now_or_never().is_none(), "nothing more is needed than to look again");
            assert_eq!(server.next().await.unwrap().unwrap(), Message::Pong(Bytes::from_static(b"p")));
        });
    }

    // CLAUSE FRM-4
    #[test]
    fn messages_over_the_limit_end_the_connection() {
        for (size, kept) in [(99, true), (100, true), (101, false)] {
            let (mut socket, mut server) = connect(IoLimits::default(), 100);
            block_on(async {
                server.send(Message::text("x".repeat(size))).await.unwrap();
                match next(&mut socket).await {
                    Incoming::Text(text) => assert!(kept && text.len() == size),
                    Incoming::TooLarge(told) => {
                        assert!(!kept && told == size);
                        assert!(matches!(next(&mut socket).await, Incoming::Closed(_)));
                    }
                    other => panic!("{other:?}"),
                }
            });
        }
    }

    #[test]
    fn closes_tell_code_and_reason() {
        let (mut socket, mut server) = connect(IoLimits::default(), 100);
        block_on(async {
            server.send(Message::Close(Some(CloseFrame { code: 4400.into(), reason: "why".into() }))).await.unwrap();
            let close = CloseInfo { code: Some(4400), reason: "why".into() };
            assert_eq!(next(&mut socket).await, Incoming::Closed(close));
        });
        let (mut socket, server) = connect(IoLimits::default(), 100);
        drop(server);
        assert!(matches!(block_on(next(&mut socket)), Incoming::Closed(CloseInfo { code: None, .. })));
    }

    // CLAUSE REC-5
    #[test]
    fn what_came_before_a_failed_send_is_read() {
        let (mut socket, mut server) = connect(IoLimits::default(), 100);
        block_on(async {
            for text in ["1", "2"] {
                server.send(Message::text(text)).await.unwrap();
            }
            let close = CloseFrame { code: 1001.into(), reason: "away".into() };
            server.send(Message::Close(Some(close))).await.unwrap();
            drop(server);
            socket.queue_text("heartbeat".to_owned());
            assert_eq!(next(&mut socket).await, Incoming::Text("1".into()));
            assert_eq!(next(&mut socket).await, Incoming::Text("2".into()));
            let close = CloseInfo { code: Some(1001), reason: "away".into() };
            assert_eq!(next(&mut socket).await, Incoming::Closed(close));
        });
    }

    // CLAUSE REC-5
    #[test]
    fn what_came_before_a_failed_pong_is_read() {
        let (mut socket, mut server) = connect(IoLimits::default(), 100);
        block_on(async {
            for message in
                [Message::Ping(Bytes::new()), Message::text("1"), Message::Ping(Bytes::new()), Message::text("2")]
            {
                server.send(message).await.unwrap();
            }
            drop(server);
            // In one burst, as the driver reads: nothing is sent between.
            let mut receive = || poll_fn(|cx| socket.poll_receive(cx)).now_or_never().unwrap();
            let came = [receive(), receive(), receive(), receive()];
            let (ping, one, two) = (Incoming::Control, Incoming::Text("1".into()), Incoming::Text("2".into()));
            assert_eq!(came, [ping, one, Incoming::Control, two]);
            let Incoming::Closed(close) = receive() else { panic!("it has ended") };
            assert_eq!(&*close.reason, "broken pipe", "what keeps it from sending is the cause");
        });
    }

    // CLAUSE FRM-1
    #[test]
    fn what_is_no_message_is_told_before_the_end() {
        let close = &[0x88, 2, 3, 0xe8][..];
        for (bytes, kind) in [
            (&[0x81, 2, 0xc3, 0x28][..], Some(Unreadable::Utf8)),
            (&[0xc1, 1, b'a'], Some(Unreadable::ReservedBits)),
            (&[0x81], Some(Unreadable::Cut)),
            (&[0x81, 2, b'a'], Some(Unreadable::Cut)),
            (&[0x01, 1, b'a'], Some(Unreadable::Cut)),
            (&[0x01, 1, b'a', 0x88, 2, 3, 0xe8], Some(Unreadable::Cut)),
            (&[0x89, 2, b'a'], None),
            (close, None),
            (&[0x88, 2, 3, 0xe8, 0x81, 2, b'a'], None),
            (&[], None),
        ] {
            let (mut socket, mut server) = connect(IoLimits::default(), 100);
            block_on(async {
                server.get_mut().write_all(bytes).await.unwrap();
                drop(server);
                if let Some(kind) = kind {
                    assert_eq!(next(&mut socket).await, Incoming::Unreadable(kind), "{bytes:02x?}");
                }
                let Incoming::Closed(end) = next(&mut socket).await else { panic!("{bytes:02x?}") };
                assert_eq!(end.code, bytes.windows(4).any(|part| part == close).then_some(1000));
            });
        }
    }

    // CLAUSE FRM-1
    #[test]
    fn half_a_message_counts_also_when_it_is_sending_that_fails() {
        let (mut socket, mut server) = connect(IoLimits { send_max: 10, ..IoLimits::default() }, 100);
        block_on(async {
            server.get_mut().write_all(&[0x81, 2, b'a']).await.unwrap();
            assert!(next(&mut socket).now_or_never().is_none());
            for _ in 0..2 {
                socket.queue_text("more than is allowed".to_owned());
            }
            assert_eq!(next(&mut socket).await, Incoming::Unreadable(Unreadable::Cut));
            assert!(matches!(next(&mut socket).await, Incoming::Closed(_)));
        });
    }

    // CLAUSE REC-5 FRM-4
    #[test]
    fn what_was_not_read_behind_pings_that_are_too_many_is_told() {
        let (mut socket, mut server) = connect(IoLimits::default(), 100);
        socket.sending = Sending::new(&IoLimits { pong_max: 20, ..IoLimits::default() });
        block_on(async {
            for message in (0..4).map(|_| Message::Ping(Bytes::new())).chain([Message::text("unread")]) {
                server.send(message).await.unwrap();
            }
            let mut receive = || poll_fn(|cx| socket.poll_receive(cx)).now_or_never().unwrap();
            let came: Vec<Incoming> = (0..4).map(|_| receive()).collect();
            let control = || Incoming::Control;
            assert_eq!(came, [control(), control(), control(), Incoming::Unreadable(Unreadable::Other)]);
            let Incoming::Closed(close) = receive() else { panic!("it has ended") };
            assert_eq!(&*close.reason, UNREAD_PONGS);
        });
    }

    // CLAUSE REC-5
    #[test]
    fn what_came_before_a_failed_send_is_read_also_if_it_takes_several_turns() {
        const COUNT: usize = 3 * TURN_BYTES / 5000;
        let (mut socket, mut server) = connect_through(1 << 20, IoLimits::default(), 10_000);
        block_on(async {
            for _ in 0..COUNT {
                server.send(Message::text("x".repeat(5000))).await.unwrap();
            }
            drop(server);
            socket.queue_text("heartbeat".to_owned());
            let (mut texts, mut turns) = (0, 0);
            loop {
                socket.begin_turn(Timestamp::ZERO);
                turns += 1;
                poll_fn(|cx| Poll::Ready(socket.poll_send(cx))).await;
                while let Some(incoming) = poll_fn(|cx| socket.poll_receive(cx)).now_or_never() {
                    match incoming {
                        Incoming::Text(_) => texts += 1,
                        Incoming::Closed(_) => return assert_eq!((texts, turns > 2), (COUNT, true)),
                        other => panic!("{other:?}"),
                    }
                }
                assert!(socket.is_spent(), "{texts} texts in {turns} turns");
            }
        });
    }

    // CLAUSE FRM-4
    #[test]
    fn a_peer_that_never_pauses_does_not_keep_what_cannot_send() {
        let (mut socket, mut server) = connect(IoLimits::default(), 100);
        let at = |seconds| Timestamp::ZERO.after(Duration::from_secs(seconds));
        socket.sending.breaks("too much waits to be sent");
        block_on(async {
            for seconds in [0, 20, 40] {
                server.send(Message::text("x")).await.unwrap();
                socket.begin_turn(at(seconds));
                assert_eq!(next(&mut socket).await, Incoming::Text("x".into()));
            }
            server.send(Message::text("x")).await.unwrap();
            socket.begin_turn(at(41));
            assert_eq!(next(&mut socket).await, Incoming::Unreadable(Unreadable::Other));
            let Incoming::Closed(close) = next(&mut socket).await else { panic!("it has ended") };
            assert_eq!(&*close.reason, "too much waits to be sent");
        });
    }

    // CLAUSE HB-3
    #[test]
    fn a_stuck_peer_shows_as_pressure_and_never_blocks() {
        let limits = IoLimits { send_high: 1000, send_low: 500, send_max: 5000, ..IoLimits::default() };
        let (mut socket, mut server) = connect(limits, 10_000);
        let mut told = Vec::new();
        block_on(async {
            while told.is_empty() {
                socket.queue_text("x".repeat(300));
                told.extend(poll_fn(|cx| Poll::Ready(socket.poll_send(cx))).await);
            }
            assert_eq!(told, [Pressure::Blocked]);
            while told.len() < 2 {
                let _ = server.next().now_or_never();
                told.extend(poll_fn(|cx| Poll::Ready(socket.poll_send(cx))).await);
            }
            assert_eq!(told, [Pressure::Blocked, Pressure::Ready]);
            while !socket.sending.is_broken() {
                socket.queue_text("x".repeat(1000));
                poll_fn(|cx| Poll::Ready(socket.poll_send(cx))).await;
            }
            assert!(socket.sending.is_empty() && matches!(next(&mut socket).await, Incoming::Closed(_)));
        });
    }
}
