//! One WebSocket: a bounded queue towards it, whole messages from it, and no waiting anywhere.

use std::task::{Context, Poll};

use async_tungstenite::tungstenite::Message;
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::{AsyncReadExt, AsyncWriteExt, Sink};
use ringcentral_ws_adapter::{
    Incoming, MessageLimits, Pressure, SocketSettings, SocketState, Target, Upgrade, is_in_record, not_dialled,
    not_opened,
};
use ringcentral_ws_core::{OpenFailure, Phase, SecretUrl, Timestamp};

use crate::dial::dial;
use crate::https::Https;
use crate::layer::Layer;
use crate::reader::AdaptiveReader;
use crate::runtime::{Runtime, within};
use crate::tls::Transport;

pub(crate) struct Socket<S> {
    layer: Layer<AdaptiveReader<Transport<S>>>,
    /// All that was read has been taken.
    is_drained: bool,
    pub(crate) state: SocketState,
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
    let mut stream = AdaptiveReader::new(stream);
    let answer = within(&https.runtime, limits.upgrade, ask(&mut upgrade, &mut stream)).await;
    let rest = answer.unwrap_or_else(|| Err(Upgrade::late()))?;
    let layer = Layer::new(stream, rest, SocketSettings::new(limits, message));
    Ok(Box::new(Socket { layer, is_drained: false, state: SocketState::new(limits, message) }))
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
    /// A turn of reading begins.
    pub(crate) fn begin_turn(&mut self, now: Timestamp) {
        let AdaptiveReader { stream, below, .. } = self.layer.get_mut();
        stream.begin_turn();
        self.state.begin_turn(below, now);
    }

    /// Whether the turn has ended by its own bounds, so that there may be more to read at once.
    pub(crate) fn is_spent(&self) -> bool {
        self.layer.get_ref().below.is_spent()
    }

    /// The peer is not read for a while, or the process was away: that says nothing about a message under way.
    pub(crate) fn pause(&mut self) {
        self.state.pause(&mut self.layer.get_mut().below);
    }

    /// Gives up on the peer if it is in the middle of a message, which the next `receive` reports.
    pub(crate) fn gives_up_within_message(&mut self) -> bool {
        self.state.gives_up_within_message(&self.layer.get_ref().below)
    }

    /// Sends what it can and says when the Session must know about the queue. Failures show up once everything
    /// that came before was read.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>) -> Option<Pressure> {
        let queue = &mut self.state.queue;
        while !queue.is_over() && !queue.is_empty() {
            match self.layer.sink().poll_ready(cx) {
                Poll::Pending => break,
                Poll::Ready(Err(error)) => queue.breaks(&error.to_string()),
                Poll::Ready(Ok(())) => {
                    let Some(message) = queue.pop() else { break };
                    self.state.dirty = true;
                    if let Err(error) = self.layer.sink().start_send(message) {
                        queue.breaks(&error.to_string());
                    }
                }
            }
        }
        if self.state.dirty && !queue.is_over() {
            match self.layer.sink().poll_flush(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => {
                    self.state.dirty = false;
                    queue.flushed();
                }
                Poll::Ready(Err(error)) => queue.breaks(&error.to_string()),
            }
        }
        self.state.note_failed_writes(&self.layer.get_ref().below);
        if self.is_drained && self.state.is_at_rest(&self.layer.get_ref().below) {
            self.layer.get_mut().rest();
            self.layer.rest();
        }
        self.state.queue.pressure()
    }

    /// The next message. After `Closed` there is none.
    pub(crate) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        if let Some(incoming) = self.state.before_read() {
            return Poll::Ready(incoming);
        }
        let next = self.layer.poll_next(cx);
        // A turn that has ended by its bounds leaves bytes unread.
        self.is_drained = next.is_pending() && !self.is_spent();
        if let Poll::Ready(Some(Ok(Message::Close(_)))) = next {
            // The answer to the close frame is on its way; what cannot leave now is not worth waiting for.
            let _ = self.layer.sink().poll_flush(cx);
        }
        let AdaptiveReader { stream, below, .. } = self.layer.get_mut();
        self.state.note_failed_writes(below);
        // Most are these, and moved as seldom as can be.
        if let Poll::Ready(Some(Ok(Message::Text(text)))) = next {
            return Poll::Ready(Incoming::Text(text));
        }
        let is_in_record = || stream.tls().is_some_and(is_in_record);
        Poll::Ready(match next {
            Poll::Ready(Some(read)) => self.state.received(read, below, is_in_record),
            // What is left of what came before is for the next turn.
            Poll::Pending if !self.state.queue.is_broken() || below.is_spent() => return Poll::Pending,
            Poll::Ready(None) | Poll::Pending => self.state.ended("end of the stream", below, is_in_record),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use async_tungstenite::{WebSocketStream, accept_async};
    use futures_util::future::{join, poll_fn};
    use futures_util::{AsyncWriteExt, FutureExt, StreamExt};

    use async_tungstenite::tungstenite::Bytes;
    use async_tungstenite::tungstenite::protocol::CloseFrame;
    use ringcentral_ws_adapter::{IoLimits, SendQueue, TURN_BYTES, UNREAD_PONGS};
    use ringcentral_ws_core::{CloseInfo, Unreadable};

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
                    Incoming::TooLarge(shown) => {
                        assert!(!kept && shown == size);
                        assert!(matches!(next(&mut socket).await, Incoming::Closed(_)));
                    }
                    other => panic!("{other:?}"),
                }
            });
        }
    }

    #[test]
    fn closes_report_code_and_reason() {
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
            socket.state.queue_text("heartbeat".to_owned());
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
    fn what_is_no_message_is_reported_before_the_end() {
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
                socket.state.queue_text("more than is allowed".to_owned());
            }
            assert_eq!(next(&mut socket).await, Incoming::Unreadable(Unreadable::Cut));
            assert!(matches!(next(&mut socket).await, Incoming::Closed(_)));
        });
    }

    // CLAUSE REC-5 FRM-4
    #[test]
    fn what_was_not_read_behind_pings_that_are_too_many_is_reported() {
        let (mut socket, mut server) = connect(IoLimits::default(), 100);
        socket.state.queue = SendQueue::new(&IoLimits { pong_max: 20, ..IoLimits::default() });
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
            socket.state.queue_text("heartbeat".to_owned());
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
    fn a_turn_that_ends_between_two_messages_keeps_what_was_read_for_the_next() {
        // With its header each is one read of the WebSocket.
        const LENGTH: usize = (4 << 10) - 4;
        const COUNT: usize = 3 * TURN_BYTES / (4 << 10);
        let (mut socket, mut server) = connect_through(4 * TURN_BYTES, IoLimits::default(), 10_000);
        block_on(async {
            for _ in 0..COUNT {
                server.send(Message::text("x".repeat(LENGTH))).await.unwrap();
            }
            let (mut texts, mut turns) = (0, 0);
            while texts < COUNT {
                socket.begin_turn(Timestamp::ZERO);
                turns += 1;
                while let Some(incoming) = poll_fn(|cx| socket.poll_receive(cx)).now_or_never() {
                    let Incoming::Text(_) = incoming else { panic!("{incoming:?}") };
                    texts += 1;
                }
                poll_fn(|cx| Poll::Ready(socket.poll_send(cx))).await;
                assert!(socket.is_spent() || texts == COUNT);
            }
            assert!(turns > 2, "{turns} turns");
        });
    }

    // CLAUSE FRM-4
    #[test]
    fn a_peer_that_never_pauses_does_not_keep_what_cannot_send() {
        let (mut socket, mut server) = connect(IoLimits::default(), 100);
        let at = |seconds| Timestamp::ZERO.after(Duration::from_secs(seconds));
        socket.state.queue.breaks("too much waits to be sent");
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
        let mut seen = Vec::new();
        block_on(async {
            while seen.is_empty() {
                socket.state.queue_text("x".repeat(300));
                seen.extend(poll_fn(|cx| Poll::Ready(socket.poll_send(cx))).await);
            }
            assert_eq!(seen, [Pressure::Blocked]);
            while seen.len() < 2 {
                let _ = server.next().now_or_never();
                seen.extend(poll_fn(|cx| Poll::Ready(socket.poll_send(cx))).await);
            }
            assert_eq!(seen, [Pressure::Blocked, Pressure::Ready]);
            while !socket.state.queue.is_broken() {
                socket.state.queue_text("x".repeat(1000));
                poll_fn(|cx| Poll::Ready(socket.poll_send(cx))).await;
            }
            assert!(socket.state.queue.is_empty() && matches!(next(&mut socket).await, Incoming::Closed(_)));
        });
    }
}
