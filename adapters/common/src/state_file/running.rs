//! Who has the session of a [`StateFile`](super::StateFile): one client at a time.

use std::sync::{Arc, PoisonError, Weak};

use super::{Files, StateFile};

/// The hold of a client on the session of its files, until it is dropped. It does not keep the files locked: a program
/// that has dropped its `StateFile` can store nothing any more.
#[derive(Debug)]
pub(crate) struct Running(Weak<Files>);

impl StateFile {
    /// Lets a client have the session; `None` while another one has it. Both would store theirs in the same file, and
    /// what only one of them has received would be missing after the next start without a gap.
    pub(crate) fn run(&self) -> Option<Running> {
        let mut turn = self.turn();
        let is_free = !std::mem::replace(&mut turn.is_running, true);
        is_free.then(|| Running(Arc::downgrade(&self.0)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(files) = self.0.upgrade() {
            files.turn.lock().unwrap_or_else(PoisonError::into_inner).is_running = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Folder;
    use super::*;

    #[test]
    fn one_client_of_all_clones_has_the_session() {
        let folder = Folder::new("state-file-running");
        let state = StateFile::open(folder.file()).unwrap();
        let clone = state.clone();
        let running = state.run().unwrap();
        assert!(clone.run().is_none() && state.run().is_none());
        drop(running);
        let running = clone.run().unwrap();
        assert!(state.run().is_none());
        drop((state, clone));
        let state = StateFile::open(folder.file()).expect("it keeps no lock");
        assert!(state.run().is_some());
        drop(running);
    }
}
