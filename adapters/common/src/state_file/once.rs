//! Calls that are made once, also over restarts.

use std::fmt;

use super::attempt::Noted;
use super::{FileError, StateFile, counted};
use crate::call_error::CallError;

/// How a call ended that is made once ([`StateFile::once`]).
///
/// `Display` says it in a sentence.
#[derive(Debug)]
#[must_use = "it says whether the call ran"]
#[non_exhaustive]
pub enum Once<T> {
    /// It was made now, and this is what came of it.
    Done(T),
    /// It was made before, by this run or another one, or is being made now. It was not made again.
    Before,
    /// It certainly did not run ([`CallError::did_not_run`]), and the note is taken back: the id is first again. It comes
    /// again when the program lists what it missed, so a program that cannot go on ends with this error, and its next
    /// start begins with a [`Gap`](ringcentral_ws_core::Gap).
    NotRun(CallError),
    /// The server refused it, and would refuse it again. It is not made again.
    Refused(CallError),
    /// It may have run, and nobody knows. It is not made again.
    Unknown(CallError),
    /// The same, of a call before this one: the process was killed, or the future was dropped, while the call was under
    /// way. It was not made again. This is said once; after it comes `Before`.
    Interrupted,
}

impl<T> fmt::Display for Once<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(_) => f.write_str("it was done"),
            Self::Before => f.write_str("it was done before"),
            Self::NotRun(error) => write!(f, "it was not done, and can be tried again: {error}"),
            Self::Refused(error) => write!(f, "it was refused, and is not tried again: {error}"),
            Self::Unknown(error) => write!(f, "it may have been done, and is not tried again: {error}"),
            Self::Interrupted => f.write_str(
                "it may have been done, and is not tried again: the program was stopped during the call; find out whether it ran",
            ),
        }
    }
}

/// What comes of asking for a call.
enum Begin {
    Yes,
    Before,
    Interrupted,
}

impl StateFile {
    /// Makes a call of the REST API once for an id, such as an answer to the message with this id: also over restarts, and
    /// whatever happens during the call. What it returns says how that came out; a program goes on, prints a line, or ends.
    ///
    /// ```
    /// # use ringcentral_ws_adapter::{CallError, Once, StateFile, file::FileError};
    /// # async fn send() -> Result<(), CallError> { Ok(()) } // `client.post(…).await?.error_for_status()?`
    /// # async fn answer(id: &str, state: &StateFile) -> Result<(), Box<dyn std::error::Error>> {
    /// match state.once(id, send()).await? {
    ///     Once::Done(()) | Once::Before => {}
    ///     Once::NotRun(error) => return Err(error.into()), // the next start tries again
    ///     problem => eprintln!("{id}: {problem}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The id is on the disk before the call begins, and its end when this returns: two writes, of some milliseconds each.
    /// The last 4096 ids are remembered, of each the first 256 bytes, together with those of
    /// [`is_first`](Self::is_first). A future that is not needed is dropped without a start. Dropping the future of this
    /// call is what a kill is: the next one gets [`Once::Interrupted`].
    ///
    /// While a call of `Client::retry_after` waits for its next try, it has not run, and the note is taken back for that
    /// time, unless another call that changes something was made within `call`. So a kill during the wait leaves nothing
    /// unknown: the next run makes the call. What `call` gives to other tasks is not seen.
    ///
    /// # Errors
    ///
    /// [`FileError`]: the id could not be stored, so the call was not made; or its end could not, so the next run gets
    /// `Interrupted`.
    pub async fn once<T>(
        &self,
        id: impl AsRef<str>,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<Once<T>, FileError> {
        let mut running = match self.begin(id.as_ref())? {
            Ok(running) => running,
            Err(ended) => return Ok(ended),
        };
        let result = running.noted.run(call).await;
        running.end(result)
    }

    /// The same for programs on threads, whose call is a closure.
    ///
    /// ```
    /// # use ringcentral_ws_adapter::{CallError, Once, StateFile, file::FileError};
    /// # fn send() -> Result<(), CallError> { Ok(()) } // `client.post(…)?.error_for_status()?`
    /// # fn answer(id: &str, state: &StateFile) -> Result<(), FileError> {
    /// let sent = state.once_blocking(id, || send())?;
    /// println!("{id}: {sent}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`once`](Self::once).
    pub fn once_blocking<T>(
        &self,
        id: impl AsRef<str>,
        call: impl FnOnce() -> Result<T, CallError>,
    ) -> Result<Once<T>, FileError> {
        let mut running = match self.begin(id.as_ref())? {
            Ok(running) => running,
            Err(ended) => return Ok(ended),
        };
        let result = running.noted.within(call);
        running.end(result)
    }

    /// Notes that a call begins. `Err`: it is not to be made.
    fn begin<T>(&self, id: &str) -> Result<Result<Running<'_>, Once<T>>, FileError> {
        let id = counted(id);
        Ok(match self.begun(id)? {
            Begin::Yes => Ok(Running { state: self, id: id.into(), noted: Noted::new(self, id) }),
            Begin::Before => Err(Once::Before),
            Begin::Interrupted => Err(Once::Interrupted),
        })
    }

    fn begun(&self, id: &str) -> Result<Begin, FileError> {
        let mut turn = self.turn();
        if turn.running.iter().any(|one| **one == *id) {
            return Ok(Begin::Before);
        }
        let mut handled = turn.handled.clone();
        let is_left = handled.begun.iter().any(|one| **one == *id);
        if is_left {
            handled.end(id);
        } else if turn.has(id) {
            return Ok(Begin::Before);
        } else {
            handled.add(id);
            handled.begun.push(id.into());
        }
        self.save_handled(&mut turn, handled)?;
        if is_left {
            return Ok(Begin::Interrupted);
        }
        turn.running.push(id.into());
        Ok(Begin::Yes)
    }
}

/// A call under way. Dropped before its end it is one that was interrupted.
struct Running<'a> {
    state: &'a StateFile,
    id: Box<str>,
    noted: Noted,
}

impl Running<'_> {
    fn end<T>(&mut self, result: Result<T, CallError>) -> Result<Once<T>, FileError> {
        let once = match result {
            Ok(done) => Once::Done(done),
            Err(error) if error.did_not_run() => Once::NotRun(error),
            Err(error) if error.may_have_run() => Once::Unknown(error),
            Err(error) => Once::Refused(error),
        };
        let mut turn = self.state.turn();
        let mut handled = turn.handled.clone();
        if matches!(once, Once::NotRun(_)) {
            handled.remove(&self.id);
        } else {
            handled.end(&self.id);
            turn.waiting.retain(|one| *one != self.id);
        }
        self.state.save_handled(&mut turn, handled)?;
        Ok(once)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut turn = self.state.turn();
        turn.running.retain(|one| *one != self.id);
        let waited = turn.waiting.len();
        turn.waiting.retain(|one| *one != self.id);
        if turn.waiting.len() < waited {
            // It was dropped while its call waited, so it did not run. The file says so already.
            turn.handled.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::future::{pending, ready};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use http::{HeaderMap, Method};
    use ringcentral_ws_core::{ApiError, Cause};

    use super::super::Attempt;
    use super::super::tests::Folder;
    use super::*;
    use crate::request::{RequestError, RequestErrorKind};

    fn open(folder: &Folder) -> StateFile {
        StateFile::open(folder.file()).unwrap()
    }

    fn api(status: u16) -> Result<u8, CallError> {
        Err(ApiError::from_reply(status, &HeaderMap::new(), b"").into())
    }

    #[test]
    fn how_a_call_ended_decides_whether_it_is_made_again_over_restarts() {
        let folder = Folder::new("once");
        let lost = || CallError::from(RequestError::from(RequestErrorKind::Unknown(Cause::SocketLost)));
        let unsent = || CallError::from(RequestError::from(RequestErrorKind::NotSent(Cause::Closed)));
        for (id, result, part, again) in [
            ("a", Ok(7), "it was done", false),
            ("b", Err(lost()), "may have been done", false),
            ("c", api(500), "may have been done", false),
            ("d", api(400), "refused", false),
            ("e", api(429), "can be tried again", true),
            ("f", Err(unsent()), "can be tried again", true),
        ] {
            let state = open(&folder);
            let once = state.once_blocking(id, || result).unwrap();
            assert!(once.to_string().contains(part) && state.has(id) != again, "{id}: {once}");
            drop(state);
            let state = open(&folder);
            let mut ran = false;
            let once = state.once_blocking(id, || {
                ran = true;
                Ok(8)
            });
            assert_eq!(ran, again, "{id}");
            assert!(matches!(once.unwrap(), Once::Done(8)) == again, "{id}");
            assert!(matches!(state.once_blocking(id, || Ok(9)).unwrap(), Once::Before), "{id}");
        }
    }

    #[test]
    fn a_call_that_was_interrupted_is_said_once_and_not_made_again() {
        let folder = Folder::new("once-interrupted");
        let poll = |future: &mut dyn FnMut(&mut Context<'_>) -> bool| future(&mut Context::from_waker(Waker::noop()));
        let (state, other) = (open(&folder), Folder::new("once-killed"));
        {
            let mut call = pin!(state.once("1", pending::<Result<(), CallError>>()));
            assert!(poll(&mut |cx| call.as_mut().poll(cx).is_pending()));
            assert!(matches!(state.once_blocking("1", || Ok(())).unwrap(), Once::Before), "it is under way");
            assert!(state.has("1") && !state.is_first("1").unwrap());
            // What a kill leaves.
            fs::copy(folder.0.join("state.handled"), other.0.join("state.handled")).unwrap();
        }
        for state in [state, open(&other)] {
            let once = |expected: fn(&Once<()>) -> bool| {
                let mut call = pin!(state.once("1", ready(Ok(()))));
                poll(&mut |cx| matches!(call.as_mut().poll(cx), Poll::Ready(Ok(once)) if expected(&once)))
            };
            assert!(once(|once| matches!(once, Once::Interrupted)));
            assert!(once(|once| matches!(once, Once::Before)));
            state.forget("1").unwrap();
            assert!(once(|once| matches!(once, Once::Done(()))));
        }
    }

    /// The state files as a kill would leave them now.
    fn killed(folder: &Folder) -> (Folder, StateFile) {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let n = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let other = Folder::new(&format!("once-left-{n}"));
        fs::copy(folder.0.join("state.handled"), other.0.join("state.handled")).unwrap();
        let state = open(&other);
        (other, state)
    }

    #[test]
    fn a_kill_while_a_call_waits_for_its_next_try_leaves_it_to_the_next_run() {
        let folder = Folder::new("once-waits");
        let state = open(&folder);
        let first = |folder: &Folder, id| killed(folder).1.once_blocking(id, || Ok(())).unwrap();
        let call = || {
            let attempt = Attempt::begin(&Method::POST);
            assert!(matches!(first(&folder, "1"), Once::Interrupted), "the first try is under way");
            attempt.waits();
            assert!(matches!(first(&folder, "1"), Once::Done(())));
            assert!(state.has("1") && !state.is_first("1").unwrap(), "it is under way here");
            assert!(state.is_first("2").unwrap(), "another one is noted");
            assert!(matches!(first(&folder, "1"), Once::Done(())) && killed(&folder).1.has("2"));
            assert!(attempt.goes_on());
            assert!(matches!(first(&folder, "1"), Once::Interrupted), "the next try is under way");
            attempt.end(true);
            // Another call of the same id, after one that ran.
            let attempt = Attempt::begin(&Method::POST);
            attempt.waits();
            assert!(matches!(first(&folder, "1"), Once::Interrupted));
            attempt.end(false);
            Ok(())
        };
        assert!(matches!(state.once_blocking("1", call).unwrap(), Once::Done(())));
        assert!(matches!(first(&folder, "1"), Once::Before));
        // Without a note there is nothing to do.
        let attempt = Attempt::begin(&Method::POST);
        attempt.waits();
        assert!(attempt.goes_on());
    }

    #[test]
    fn a_call_that_is_dropped_while_it_waits_is_made_by_the_next_one() {
        let folder = Folder::new("once-waits-dropped");
        let state = open(&folder);
        {
            let mut call = pin!(state.once("1", async {
                let attempt = Attempt::begin(&Method::POST);
                attempt.waits();
                pending::<()>().await;
                attempt.end(false);
                Ok(())
            }));
            assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        assert!(!state.has("1"));
        assert!(matches!(state.once_blocking("1", || Ok(())).unwrap(), Once::Done(())));
    }

    #[test]
    fn a_read_before_the_call_does_not_count_and_a_try_that_cannot_be_noted_is_not_made() {
        let folder = Folder::new("once-reads");
        let state = open(&folder);
        let call = || {
            let read = Attempt::begin(&Method::GET);
            read.waits();
            assert!(!killed(&folder).1.has("1"));
            assert!(read.goes_on());
            drop(read);
            let write = Attempt::begin(&Method::POST);
            assert!(write.goes_on() && killed(&folder).1.has("1"));
            write.waits();
            fs::write(folder.0.join("state.handled"), "buy milk\n").unwrap();
            assert!(!write.goes_on());
            write.end(false);
            api(429)
        };
        assert!(matches!(state.once_blocking("1", call), Err(FileError::Foreign(..))));
        assert!(!state.has("1"));
    }

    #[test]
    fn what_cannot_be_noted_is_not_begun() {
        let folder = Folder::new("once-full");
        let state = open(&folder);
        fs::write(folder.0.join("state.handled"), "buy milk\n").unwrap();
        let mut ran = false;
        let once = state.once_blocking("1", || {
            ran = true;
            Ok(())
        });
        assert!(matches!(once, Err(FileError::Foreign(..))) && !ran && !state.has("1"));
    }
}
