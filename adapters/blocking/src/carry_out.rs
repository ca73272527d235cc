//! The calls of a loop of one's own.

use ringcentral_ws_core::{Action, Input};

use crate::credentials::{CredentialSource, TokenRequest, ask};
use crate::https::HttpsSender;

/// Makes the call that an action of a `Session` asks for, a login or an HTTPS call, and waits for it: for programs that
/// drive a [`Session`](ringcentral_ws_core::Session) in a loop of their own. The answer is the input that completes the
/// action. It takes as long as the limits of `https` allow, and the source's own.
///
/// ```no_run
/// use ringcentral_ws_blocking::{Action, CredentialSource, HttpsSender, Session, Timestamp, carry_out};
///
/// fn act(session: &mut Session, action: Action, source: &dyn CredentialSource, https: &dyn HttpsSender, now: Timestamp) {
///     match carry_out(action, source, https) {
///         Ok(answer) => session.handle_input(answer, now).expect("drained"),
///         Err(action) => println!("for the socket: {action:?}"),
///     }
/// }
/// ```
///
/// # Errors
///
/// The action, if it is for the socket. An [`AbortHttp`](Action::AbortHttp) too: it comes when no call is under way.
pub fn carry_out(
    action: Action,
    source: &dyn CredentialSource,
    https: &dyn HttpsSender,
) -> Result<Input<'static>, Box<Action>> {
    match action {
        Action::Authorize { id, reason, last } => {
            Ok(match ask(source, TokenRequest { reason, held: last.as_ref(), https }) {
                Ok(token) => Input::Authorized { id, token },
                Err(failure) => Input::AuthorizeFailed { id, failure },
            })
        }
        Action::Http { id, request, .. } => Ok(match https.send(*request) {
            Ok(response) => Input::HttpResponse { id, response: Box::new(response) },
            Err(failure) => Input::HttpFailed { id, failure },
        }),
        other => Err(Box::new(other)),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{Request, Response};
    use ringcentral_ws_adapter::FixedToken;
    use ringcentral_ws_core::{ClockReading, Config, ConnId, HttpFailure, Output, Phase, Session, Timestamp};

    use super::*;

    /// Refuses each call.
    struct Refuses;

    impl HttpsSender for Refuses {
        fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, HttpFailure> {
            Err(HttpFailure { phase: Phase::Dns, not_sent: true, message: "no".into() })
        }
    }

    #[test]
    fn each_call_of_a_session_is_completed_and_the_rest_comes_back() {
        let (source, mut made) = (FixedToken::new("t"), Vec::new());
        let mut session = Session::new(Config::default(), 1, ClockReading::default());
        session.connect(Timestamp::ZERO).unwrap();
        loop {
            match session.poll_output() {
                Output::Action(action) => match carry_out(action, &source, &Refuses) {
                    Ok(input) => {
                        made.push(matches!(input, Input::Authorized { .. }));
                        // Completed once, and drained before the next.
                        while let Output::Action(_) | Output::Event(_) = session.poll_output() {}
                        session.handle_input(input, Timestamp::ZERO).unwrap();
                    }
                    Err(action) => panic!("{action:?}"),
                },
                Output::Event(_) => {}
                Output::Wait(_) => break,
            }
        }
        assert_eq!(made, [true, false], "a login, and the WebSocket token that failed");
        let drop = Action::Drop { conn: ConnId::from(1) };
        assert!(matches!(carry_out(drop, &source, &Refuses), Err(action) if matches!(*action, Action::Drop { .. })));
    }
}
