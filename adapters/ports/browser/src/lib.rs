#![doc = include_str!("../README.md")]

mod call;
mod output;
mod port;

use std::cell::RefCell;

pub use port::Port;

thread_local! {
    /// One instance of the module is one client, and a page has one thread.
    static CLIENT: RefCell<(Port, Vec<u8>)> = RefCell::default();
}

/// Makes room for a call of `len` bytes of UTF-8, which the page then writes to the address returned.
#[expect(unsafe_code, reason = "an exported name, of which there is one each in this module; nothing else is unsafe")]
#[unsafe(no_mangle)]
pub extern "C" fn rc_reserve(len: usize) -> *mut u8 {
    CLIENT.with_borrow_mut(|(_, buffer)| {
        buffer.clear();
        buffer.resize(len, 0);
        buffer.as_mut_ptr()
    })
}

/// Carries out the call in the buffer and puts the answer in its place. Returns the answer's length in bytes.
#[expect(unsafe_code, reason = "as above")]
#[unsafe(no_mangle)]
pub extern "C" fn rc_call() -> usize {
    CLIENT.with_borrow_mut(|(port, buffer)| {
        *buffer = port.call(&String::from_utf8_lossy(buffer)).into_bytes();
        buffer.len()
    })
}

/// Where the answer is. Good until the next call of any of these functions.
#[expect(unsafe_code, reason = "as above")]
#[unsafe(no_mangle)]
pub extern "C" fn rc_answer() -> *const u8 {
    CLIENT.with_borrow(|(_, buffer)| buffer.as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_goes_in_and_an_answer_comes_out() {
        let call = br#"{"now":0,"do":"timeout"}"#;
        assert!(!rc_reserve(call.len()).is_null());
        // What the page does from outside.
        CLIENT.with_borrow_mut(|(_, buffer)| buffer.copy_from_slice(call));
        let len = rc_call();
        assert!(!rc_answer().is_null());
        let answer = CLIENT.with_borrow(|(_, buffer)| String::from_utf8(buffer.clone()).unwrap());
        assert_eq!((answer.len(), answer.as_str()), (len, r#"{"error":"the session has not been started"}"#));
    }

    #[test]
    fn bytes_that_are_no_text_get_an_error() {
        rc_reserve(3);
        CLIENT.with_borrow_mut(|(_, buffer)| buffer.fill(0xff));
        rc_call();
        let answer = CLIENT.with_borrow(|(_, buffer)| String::from_utf8(buffer.clone()).unwrap());
        assert!(answer.starts_with(r#"{"error":"not a call"#), "{answer}");
    }
}
