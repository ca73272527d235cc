//! What a call of [`StateFile::once`](super::StateFile::once) lets its note know: that it was refused and waits.
//!
//! The call is a future or a closure of the program. What it asks of a client runs on the thread that polls it, so the note
//! is found by the thread.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Method;
use ringcentral_ws_core::is_read;

use super::StateFile;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Mutex<Note>>>> = const { RefCell::new(None) };
}

/// The note of one id.
#[derive(Debug)]
struct Note {
    state: StateFile,
    id: Box<str>,
    /// Calls that change something and are under way.
    under_way: usize,
    /// One of them has run, or may have.
    ran: bool,
    /// It is taken back on the disk.
    taken_back: bool,
}

impl Note {
    /// `false`: it cannot be written.
    fn write(&mut self) -> bool {
        if self.taken_back && self.state.waits(&self.id, false).is_ok() {
            self.taken_back = false;
        }
        !self.taken_back
    }
}

/// A call of a client, perhaps one for the note of an id.
#[doc(hidden)]
#[derive(Debug)]
pub struct Attempt {
    note: Option<Arc<Mutex<Note>>>,
    counts: bool,
}

impl Attempt {
    /// A call begins. Dropped without an [`end`](Self::end) it may have run.
    #[must_use]
    pub fn begin(method: &Method) -> Self {
        let note = CURRENT.with_borrow(Clone::clone);
        let attempt = Self { counts: note.is_some() && !is_read(method), note };
        if attempt.counts
            && let Some(mut note) = attempt.note()
        {
            note.under_way += 1;
        }
        attempt
    }

    /// It was refused or not sent, and waits to be made again: a run that begins now may make it. If the note cannot be
    /// taken back, it stays: then the next run says that the call may have run.
    pub fn waits(&self) {
        if let Some(mut note) = self.note()
            && !note.ran
            && !note.taken_back
            && note.under_way == usize::from(self.counts)
        {
            note.taken_back = note.state.waits(&note.id, true).is_ok();
        }
    }

    /// It is to be made now. `false`: that cannot be noted, so it must not be.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        !self.counts || self.note().is_none_or(|mut note| note.write())
    }

    /// It has ended. `ran`: it did something, or may have.
    pub fn end(mut self, ran: bool) {
        self.finish(ran);
    }

    fn finish(&mut self, ran: bool) {
        if std::mem::take(&mut self.counts)
            && let Some(mut note) = self.note()
        {
            note.under_way -= 1;
            note.ran |= ran;
        }
    }

    fn note(&self) -> Option<MutexGuard<'_, Note>> {
        self.note.as_ref().map(|note| note.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.finish(true);
    }
}

/// The note of a call while it runs.
pub(super) struct Noted(Arc<Mutex<Note>>);

impl Noted {
    pub(super) fn new(state: &StateFile, id: &str) -> Self {
        let note = Note { state: state.clone(), id: id.into(), under_way: 0, ran: false, taken_back: false };
        Self(Arc::new(Mutex::new(note)))
    }

    pub(super) async fn run<F: Future>(&self, call: F) -> F::Output {
        let mut call = pin!(call);
        poll_fn(|cx| self.within(|| call.as_mut().poll(cx))).await
    }

    pub(super) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        /// Puts back what was there, after a panic too.
        struct Back(Option<Arc<Mutex<Note>>>);
        impl Drop for Back {
            fn drop(&mut self) {
                let before = self.0.take();
                CURRENT.with_borrow_mut(|current| *current = before);
            }
        }
        let _back = Back(CURRENT.replace(Some(Arc::clone(&self.0))));
        work()
    }
}
