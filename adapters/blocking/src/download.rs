//! Responses whose body is read as it comes, of any size and in little memory.

use std::fmt;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ringcentral_ws_adapter::{DownloadError, body_is_late, body_is_too_large, lost};
use ringcentral_ws_core::HttpFailure;

use crate::abort::Abort;

/// A response body that is read as it arrives: an [`io::Read`]. It holds about 150 KiB, the buffers of the connection.
/// While it is not read, TCP makes the server wait. Each read may take `IoLimits::download_read`.
///
/// Reading fails at once after [`Client::close`](crate::Client::close), and when the last handle of the client is
/// dropped ([`DownloadError::ClientEnded`]); so does a read that another thread waits in. Dropping the download closes
/// its connection.
pub struct Download {
    /// `None` once it has ended.
    body: Option<Box<dyn Read + Send>>,
    /// What the status made worth reading at once.
    whole: Bytes,
    received: u64,
    /// What the server said it would send.
    length: Option<u64>,
    broken: Option<DownloadError>,
    /// Fired when the client ends.
    abort: Option<Abort>,
}

impl Download {
    /// A body that another HTTP client reads, for [`HttpsSender::stream`](crate::HttpsSender::stream). The first error
    /// ends it. It becomes [`DownloadError::Stalled`] if its kind is `TimedOut`, otherwise
    /// [`DownloadError::BrokenOff`].
    pub fn from_reader(body: impl Read + Send + 'static) -> Self {
        let body: Box<dyn Read + Send> = Box::new(body);
        Self { body: Some(body), whole: Bytes::new(), received: 0, length: None, broken: None, abort: None }
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self { whole: bytes.clone(), ..Self::from_reader(io::Cursor::new(bytes)) }
    }

    /// It ends with the client, whose end fires `abort`; `length` is what the server said it would send.
    pub(crate) fn within(self, abort: Abort, length: Option<u64>) -> Self {
        Self { length, abort: Some(abort), ..self }
    }

    /// How many bytes have been read.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// All of it, if it is not larger than `limit` and comes within `time`.
    pub(crate) fn read_whole(mut self, limit: usize, time: Duration) -> Result<Bytes, HttpFailure> {
        let began = Instant::now();
        let (mut all, mut piece) = (Vec::new(), [0; 8 << 10]);
        loop {
            match self.read(&mut piece) {
                Err(error) => return Err(lost(&error.to_string())),
                Ok(0) => return Ok(all.into()),
                Ok(count) if all.len() + count > limit => {
                    return Err(body_is_too_large(limit));
                }
                Ok(_) if began.elapsed() > time => return Err(body_is_late()),
                Ok(count) => all.extend_from_slice(&piece[..count]),
            }
        }
    }

    fn breaks(&mut self, error: DownloadError) -> io::Error {
        (self.body, self.abort) = (None, None);
        self.broken.insert(error).clone().into()
    }

    /// Whether the client ended before the body did. A socket that was shut down looks like an end of the stream.
    fn is_cut_off(&self) -> bool {
        self.abort.as_ref().is_some_and(Abort::is_fired) && self.length != Some(self.received)
    }
}

impl AsRef<[u8]> for Download {
    /// The whole body if the status is an error, for
    /// [`ApiError::from_response`](ringcentral_ws_core::ApiError::from_response); otherwise empty.
    fn as_ref(&self) -> &[u8] {
        &self.whole
    }
}

impl Read for Download {
    /// Errors contain a [`DownloadError`], see [`DownloadError::of`]. Each further read reports the first one again.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone().into());
        }
        let received = self.received;
        loop {
            if self.is_cut_off() {
                return Err(self.breaks(DownloadError::ClientEnded { received }));
            }
            let Some(body) = self.body.as_mut().filter(|_| !buf.is_empty()) else { return Ok(0) };
            match body.read(buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) | Ok(0) if self.is_cut_off() => {}
                Err(error) if is_late(&error) => return Err(self.breaks(DownloadError::Stalled { received })),
                Err(error) => {
                    let message = error.to_string().into();
                    return Err(self.breaks(DownloadError::BrokenOff { received, message }));
                }
                Ok(0) => {
                    (self.body, self.abort) = (None, None);
                    return Ok(0);
                }
                Ok(count) => {
                    self.received += count as u64;
                    return Ok(count);
                }
            }
        }
    }
}

/// Whether nothing came in time; ureq has an error of its own for that.
fn is_late(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    error.kind() == io::ErrorKind::TimedOut || matches!(inner, Some(ureq::Error::Timeout(_)))
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("received", &self.received).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers its reads from a list, then with the end.
    struct Script(Vec<io::Result<&'static [u8]>>);

    impl Read for Script {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let piece = self.0.remove(0)?;
            buf[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }

    #[test]
    fn errors_are_typed_and_stay() {
        for (kind, stalls) in [(io::ErrorKind::TimedOut, true), (io::ErrorKind::ConnectionReset, false)] {
            let script = Script(vec![Err(io::ErrorKind::Interrupted.into()), Ok(b"abc"), Err(kind.into()), Ok(b"d")]);
            let mut body = Download::from_reader(script);
            let mut all = Vec::new();
            let error = body.read_to_end(&mut all).unwrap_err();
            let error = DownloadError::of(&error).unwrap();
            assert_eq!((&all[..], error.received(), body.received()), (&b"abc"[..], 3, 3));
            assert_eq!(matches!(error, DownloadError::Stalled { .. }), stalls, "{error}");
            assert_eq!(DownloadError::of(&body.read(&mut [0]).unwrap_err()), Some(error), "again");
        }
    }

    #[test]
    fn the_end_of_the_client_is_no_end_of_the_body() {
        let read = |length, fire_after: usize| {
            let abort = Abort::default();
            let mut body = Download::from_reader(Script(vec![Ok(b"ab"), Ok(b"cd")]));
            (body.abort, body.length) = (Some(abort.clone()), length);
            let mut piece = [0; 8];
            for n in 0..4 {
                if n == fire_after {
                    abort.fire();
                }
                match body.read(&mut piece) {
                    Ok(0) => return Ok(body.received()),
                    Ok(_) => {}
                    Err(error) => return Err(DownloadError::of(&error).cloned()),
                }
            }
            panic!("no end");
        };
        assert_eq!(read(None, 9), Ok(4));
        assert_eq!(read(None, 1), Err(Some(DownloadError::ClientEnded { received: 2 })));
        assert_eq!(read(None, 2), Err(Some(DownloadError::ClientEnded { received: 4 })), "nobody knows the end");
        assert_eq!(read(Some(4), 2), Ok(4), "all of it was there");
    }

    #[test]
    fn what_is_no_success_is_read_within_limits() {
        let body = || Download::from_reader(Script(vec![Ok(b"ab"), Ok(b"cd")]));
        assert_eq!(&body().read_whole(4, Duration::MAX).unwrap()[..], b"abcd");
        assert!(body().read_whole(3, Duration::MAX).unwrap_err().message.contains("larger than 3 bytes"));
        assert!(body().read_whole(4, Duration::ZERO).unwrap_err().message.contains("in time"));
    }
}
