//! The channel that programs on an async runtime use between their tasks.

use std::future::Future;

use async_tungstenite::tungstenite::Utf8Bytes;
use ringcentral_ws_async_std::AsyncStd;
use ringcentral_ws_driver::Runtime;
use ringcentral_ws_smol::Smol;
use ringcentral_ws_tokio::Tokio;

/// A runtime with its bounded channel of texts.
pub trait Channel: Runtime {
    /// Where they go in.
    type Sender: Send + Sync + 'static;
    /// Where they come out.
    type Receiver: Send;

    /// A channel in which so many may wait.
    fn channel(room: usize) -> (Self::Sender, Self::Receiver);

    /// Waits for room.
    fn send(to: &Self::Sender, text: Utf8Bytes) -> impl Future<Output = ()> + Send;

    /// The next one; `None` when there are no senders any more.
    fn next(from: &mut Self::Receiver) -> impl Future<Output = Option<Utf8Bytes>> + Send;
}

impl Channel for Tokio {
    type Sender = tokio::sync::mpsc::Sender<Utf8Bytes>;
    type Receiver = tokio::sync::mpsc::Receiver<Utf8Bytes>;

    fn channel(room: usize) -> (Self::Sender, Self::Receiver) {
        tokio::sync::mpsc::channel(room)
    }

    async fn send(to: &Self::Sender, text: Utf8Bytes) {
        to.send(text).await.expect("a receiver");
    }

    async fn next(from: &mut Self::Receiver) -> Option<Utf8Bytes> {
        from.recv().await
    }
}

impl Channel for Smol {
    type Sender = smol::channel::Sender<Utf8Bytes>;
    type Receiver = smol::channel::Receiver<Utf8Bytes>;

    fn channel(room: usize) -> (Self::Sender, Self::Receiver) {
        smol::channel::bounded(room)
    }

    async fn send(to: &Self::Sender, text: Utf8Bytes) {
        to.send(text).await.expect("a receiver");
    }

    async fn next(from: &mut Self::Receiver) -> Option<Utf8Bytes> {
        from.recv().await.ok()
    }
}

impl Channel for AsyncStd {
    type Sender = async_std::channel::Sender<Utf8Bytes>;
    type Receiver = async_std::channel::Receiver<Utf8Bytes>;

    fn channel(room: usize) -> (Self::Sender, Self::Receiver) {
        async_std::channel::bounded(room)
    }

    async fn send(to: &Self::Sender, text: Utf8Bytes) {
        to.send(text).await.expect("a receiver");
    }

    async fn next(from: &mut Self::Receiver) -> Option<Utf8Bytes> {
        from.recv().await.ok()
    }
}
