//! Whose turn it is when a task has more to do.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use ringcentral_ws_driver::Runtime;
use ringcentral_ws_tokio::Tokio;

const TURNS: usize = 1000;

#[test]
fn a_task_that_goes_on_comes_behind_the_future_of_block_on() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let turns = Arc::new(AtomicUsize::new(0));
    let application = Arc::new(Mutex::new(None::<Waker>));
    let seen = runtime.block_on(async {
        let (counted, woken) = (Arc::clone(&turns), Arc::clone(&application));
        let task = poll_fn(move |cx| {
            woken.lock().unwrap().take().into_iter().for_each(Waker::wake);
            if counted.fetch_add(1, Ordering::Relaxed) + 1 == TURNS {
                return Poll::Ready(());
            }
            Tokio.wake_last(cx);
            Poll::Pending
        });
        Tokio.spawn(Box::pin(task)).unwrap();
        let mut seen = 0;
        poll_fn(|cx| {
            seen += 1;
            *application.lock().unwrap() = Some(cx.waker().clone());
            if turns.load(Ordering::Relaxed) == TURNS { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        seen
    });
    assert!(seen >= TURNS, "it saw {seen} of {TURNS} turns");
}
