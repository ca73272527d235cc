//! What it means when a WebSocket cannot be read any further.

use std::io;

use ringcentral_ws_core::Unreadable;
use rustls::{ClientConnection, InvalidMessage};
use tungstenite::Error;
use tungstenite::error::{CapacityError, ProtocolError};

use crate::below::TooManyFrames;

/// What a failed read of a WebSocket means. None is followed by another message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadFailure {
    /// A message over the size limit, of so many bytes.
    TooLarge(usize),
    /// Bytes arrived that are no message.
    Unreadable(Unreadable),
    /// The connection has ended. Whether in the middle of a message, the stream below knows
    /// ([`Below::is_in_message`](crate::Below::is_in_message), [`is_in_record`]).
    Ended,
}

impl ReadFailure {
    /// What this error of a read means. Each one has its place here, so that a new one of a newer version is looked at
    /// before it compiles. A close frame whose reason is not UTF-8 cannot be distinguished from a text that is not.
    #[must_use]
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::Capacity(CapacityError::MessageTooLong { size, .. }) => Self::TooLarge(*size),
            Error::Utf8(_) => Self::Unreadable(Unreadable::Utf8),
            Error::Protocol(error) => Self::of_protocol(error),
            Error::Io(error) => Self::of_io(error),
            Error::ConnectionClosed | Error::AlreadyClosed => Self::Ended,
            // Of writing, of the upgrade, or of a TLS that is not used here.
            Error::Tls(_)
            | Error::Capacity(CapacityError::TooManyHeaders)
            | Error::WriteBufferFull(_)
            | Error::AttackAttempt
            | Error::Url(_)
            | Error::Http(_)
            | Error::HttpFormat(_) => Self::Ended,
        }
    }

    fn of_protocol(error: &ProtocolError) -> Self {
        use ProtocolError as P;
        Self::Unreadable(match error {
            P::NonZeroReservedBits => Unreadable::ReservedBits,
            P::InvalidOpcode(_) | P::UnknownControlFrameType(_) | P::UnknownDataFrameType(_) => Unreadable::Opcode,
            P::MaskedFrameFromServer => Unreadable::Masked,
            P::UnexpectedContinueFrame | P::ExpectedFragment(_) => Unreadable::Fragment,
            P::FragmentedControlFrame | P::ControlFrameTooBig | P::InvalidCloseSequence => Unreadable::Control,
            // Frames that arrived, though none should have.
            P::ReceivedAfterClosing | P::UnmaskedFrameFromClient => Unreadable::Other,
            P::ResetWithoutClosingHandshake | P::SendAfterClosing => return Self::Ended,
            // Of the upgrade.
            P::WrongHttpMethod
            | P::WrongHttpVersion
            | P::MissingConnectionUpgradeHeader
            | P::MissingUpgradeWebSocketHeader
            | P::MissingSecWebSocketVersionHeader
            | P::MissingSecWebSocketKey
            | P::InvalidSecWebSocketKey
            | P::SecWebSocketAcceptKeyMismatch
            | P::SecWebSocketSubProtocolError(_)
            | P::JunkAfterRequest
            | P::CustomResponseSuccessful
            | P::InvalidHeader(_)
            | P::HandshakeIncomplete
            | P::HttparseError(_) => return Self::Ended,
        })
    }

    /// A record that cannot be decrypted has arrived, and what was in it is lost. The peer's alert is an end.
    fn of_io(error: &io::Error) -> Self {
        let inner = error.get_ref();
        if inner.is_some_and(|error| error.is::<TooManyFrames>()) {
            return Self::Unreadable(Unreadable::Fragment);
        }
        match inner.and_then(|error| error.downcast_ref::<rustls::Error>()) {
            None | Some(rustls::Error::AlertReceived(_)) => Self::Ended,
            Some(_) => Self::Unreadable(Unreadable::Other),
        }
    }
}

/// Whether a TLS connection that has ended was in the middle of a record: its bytes arrived and cannot be decrypted.
///
/// rustls does not show what waits in its buffer. So it is given bytes that cannot begin a record, and complains about
/// them in the one case only that nothing waits. The connection is of no use after this.
///
/// What kind of record it was to become is encrypted too: a cut session ticket counts like a cut message. Records end
/// where a sender's writes end, so this is how a short message is cut.
pub fn is_in_record(connection: &mut ClientConnection) -> bool {
    const NO_RECORD: [u8; 5] = [0xff; 5];
    let taken = connection.read_tls(&mut &NO_RECORD[..]);
    // Nothing is taken behind the peer's good-bye.
    if !matches!(taken, Ok(1..)) {
        return false;
    }
    match connection.process_new_packets() {
        Err(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => false,
        Err(rustls::Error::AlertReceived(_)) => false,
        Ok(_) | Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use tungstenite::WebSocket;
    use tungstenite::protocol::{Role, WebSocketConfig};

    use super::*;

    /// What a server sent, and then nothing.
    struct Sent(&'static [u8]);

    impl Read for Sent {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.0.read(buf)
        }
    }

    impl io::Write for Sent {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            Ok(buf.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    // CLAUSE FRM-1 FRM-4
    #[test]
    fn each_way_to_break_the_protocol_has_its_word() {
        use ReadFailure::{Ended, TooLarge};
        let kind = ReadFailure::Unreadable;
        let cases: [(&'static [u8], ReadFailure); 17] = [
            (&[0x81, 2, 0xc3, 0x28], kind(Unreadable::Utf8)),
            (&[0x01, 1, 0xc3, 0x80, 1, 0x28], kind(Unreadable::Utf8)),
            (&[0xc1, 1, b'a'], kind(Unreadable::ReservedBits)),
            (&[0x91, 1, b'a'], kind(Unreadable::ReservedBits)),
            (&[0x83, 1, b'a'], kind(Unreadable::Opcode)),
            (&[0x8b, 1, b'a'], kind(Unreadable::Opcode)),
            (&[0x81, 0x81, 1, 2, 3, 4, b'a'], kind(Unreadable::Masked)),
            (&[0x80, 1, b'a'], kind(Unreadable::Fragment)),
            (&[0x01, 1, b'a', 0x81, 1, b'b'], kind(Unreadable::Fragment)),
            (&[0x09, 1, b'a'], kind(Unreadable::Control)),
            (&[0x88, 1, 3], kind(Unreadable::Control)),
            (&[0x82, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], TooLarge(11)),
            (&[0x02, 6, 0, 0, 0, 0, 0, 0, 0x80, 5, 0, 0, 0, 0, 0], TooLarge(11)),
            (&[0x81, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], TooLarge(usize::MAX)),
            (&[], Ended),
            (&[0x81], Ended),
            (&[0x81, 2, b'a'], Ended),
        ];
        let config = WebSocketConfig::default().max_message_size(Some(10)).max_frame_size(Some(10));
        for (bytes, expected) in cases {
            let mut socket = WebSocket::from_raw_socket(Sent(bytes), Role::Client, Some(config));
            assert_eq!(ReadFailure::of(&socket.read().unwrap_err()), expected, "{bytes:02x?}");
        }
        // The limit of a control frame is its own.
        let long = [&[0x89, 126, 0, 126][..], &[0; 126]].concat().leak();
        let mut socket = WebSocket::from_raw_socket(Sent(long), Role::Client, None);
        assert_eq!(ReadFailure::of(&socket.read().unwrap_err()), kind(Unreadable::Control));
    }

    #[test]
    fn a_broken_record_is_not_the_end_that_an_alert_is() {
        let of = |error| ReadFailure::of(&Error::Io(io::Error::new(io::ErrorKind::InvalidData, error)));
        assert_eq!(of(rustls::Error::DecryptError), ReadFailure::Unreadable(Unreadable::Other));
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::InternalError);
        assert_eq!(of(alert), ReadFailure::Ended);
        for kind in [io::ErrorKind::ConnectionReset, io::ErrorKind::UnexpectedEof, io::ErrorKind::TimedOut] {
            assert_eq!(ReadFailure::of(&Error::Io(kind.into())), ReadFailure::Ended);
        }
    }

    #[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
    mod tls {
        use std::io::Write;
        use std::sync::Arc;

        use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
        use rustls::{
            ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion,
            version,
        };

        use super::super::is_in_record;

        fn provider() -> Arc<rustls::crypto::CryptoProvider> {
            #[cfg(feature = "ring")]
            return Arc::new(rustls::crypto::ring::default_provider());
            #[cfg(not(feature = "ring"))]
            Arc::new(rustls::crypto::aws_lc_rs::default_provider())
        }

        /// Two ends that have greeted each other.
        fn pair(version: &'static SupportedProtocolVersion) -> (ClientConnection, ServerConnection) {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
            let mut roots = RootCertStore::empty();
            roots.add(made.cert.der().clone()).unwrap();
            let client = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[version]).unwrap();
            let client = Arc::new(client.with_root_certificates(roots).with_no_client_auth());
            let server = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[version]).unwrap();
            let server = server.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key.into());
            let name = ServerName::try_from("localhost").unwrap();
            let mut client = ClientConnection::new(client, name).unwrap();
            let mut server = ServerConnection::new(Arc::new(server.unwrap())).unwrap();
            while client.is_handshaking() || server.is_handshaking() || server.wants_write() {
                let mut bytes = Vec::new();
                while client.wants_write() {
                    client.write_tls(&mut bytes).unwrap();
                }
                take(&mut bytes.as_slice(), |rest| server.read_tls(rest));
                server.process_new_packets().unwrap();
                let bytes = written(&mut server);
                take(&mut bytes.as_slice(), |rest| client.read_tls(rest));
                client.process_new_packets().unwrap();
            }
            (client, server)
        }

        fn take(bytes: &mut &[u8], mut read: impl FnMut(&mut &[u8]) -> std::io::Result<usize>) {
            while !bytes.is_empty() {
                read(bytes).unwrap();
            }
        }

        fn written(server: &mut ServerConnection) -> Vec<u8> {
            let mut bytes = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut bytes).unwrap();
            }
            bytes
        }

        // CLAUSE FRM-1
        #[test]
        fn an_end_within_a_record_shows_at_each_of_its_bytes() {
            for version in [&version::TLS12, &version::TLS13] {
                let record = {
                    let (_, mut server) = pair(version);
                    server.writer().write_all(b"a message").unwrap();
                    written(&mut server).len()
                };
                for end in 0..=record {
                    let (mut client, mut server) = pair(version);
                    server.writer().write_all(b"a message").unwrap();
                    let sent = written(&mut server);
                    take(&mut &sent[..end], |rest| client.read_tls(rest));
                    client.process_new_packets().unwrap();
                    let mut plain = Vec::new();
                    let _ = std::io::Read::read_to_end(&mut client.reader(), &mut plain);
                    assert_eq!(plain.len(), if end == record { 9 } else { 0 });
                    // The end of the stream, without a good-bye.
                    assert_eq!(client.read_tls(&mut &[][..]).unwrap(), 0);
                    assert_eq!(is_in_record(&mut client), end > 0 && end < record, "{end} of {record}, {version:?}");
                }
            }
        }

        #[test]
        fn a_good_bye_or_an_alert_is_an_end() {
            let (mut client, mut server) = pair(&version::TLS13);
            server.send_close_notify();
            let bytes = written(&mut server);
            take(&mut bytes.as_slice(), |rest| client.read_tls(rest));
            client.process_new_packets().unwrap();
            assert!(!is_in_record(&mut client));

            let (mut client, mut server) = pair(&version::TLS13);
            // What cannot be a record makes the other end say so.
            server.read_tls(&mut &[0xff; 5][..]).unwrap();
            server.process_new_packets().unwrap_err();
            let bytes = written(&mut server);
            take(&mut bytes.as_slice(), |rest| client.read_tls(rest));
            assert!(matches!(client.process_new_packets(), Err(rustls::Error::AlertReceived(_))));
            assert!(!is_in_record(&mut client));
        }
    }
}
