//! Leave for the pages of other origins to call (CORS), as the service gives it. There is no switch: only browsers ask, and
//! a page gains nothing by it without a token of its own. The control resources are not shared.

use crate::{HttpRequest, HttpResponse};

/// What a page may read of an answer beside the body and a few common headers.
const EXPOSED: &str = "RCRequestId, Retry-After, X-Rate-Limit-Group, X-Rate-Limit-Limit, X-Rate-Limit-Remaining, \
                       X-Rate-Limit-Window";

/// The answer to the question that a browser asks before a call, which is no call itself.
pub(super) fn preflight(request: &HttpRequest) -> Option<HttpResponse> {
    request.get("Origin")?;
    let method = request.get("Access-Control-Request-Method").filter(|_| request.method == "OPTIONS")?;
    let mut answer = HttpResponse::new(204, Vec::new())
        .header("Access-Control-Allow-Origin", "*")
        .header("Access-Control-Allow-Methods", method)
        .header("Access-Control-Max-Age", "600");
    if let Some(headers) = request.get("Access-Control-Request-Headers") {
        answer = answer.header("Access-Control-Allow-Headers", headers);
    }
    Some(answer)
}

/// Lets a page of another origin read the answer.
pub(super) fn share(request: &HttpRequest, response: HttpResponse) -> HttpResponse {
    if request.get("Origin").is_none() {
        return response;
    }
    response.header("Access-Control-Allow-Origin", "*").header("Access-Control-Expose-Headers", EXPOSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preflight_of_a_browser_is_answered() {
        let question = HttpRequest::new("OPTIONS", "/restapi/oauth/wstoken")
            .header("Origin", "https://example.org")
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "authorization,x-user-agent");
        let answer = preflight(&question).unwrap();
        assert_eq!(answer.status, 204);
        assert_eq!(answer.get("Access-Control-Allow-Origin"), Some("*"));
        assert_eq!(answer.get("Access-Control-Allow-Methods"), Some("POST"));
        assert_eq!(answer.get("Access-Control-Allow-Headers"), Some("authorization,x-user-agent"));
    }

    #[test]
    fn what_is_no_question_is_a_call() {
        let origin = |request: HttpRequest| request.header("Origin", "https://example.org");
        assert_eq!(preflight(&origin(HttpRequest::new("OPTIONS", "/"))), None);
        let with_method = |method| HttpRequest::new(method, "/").header("Access-Control-Request-Method", "POST");
        assert_eq!(preflight(&origin(with_method("POST"))), None);
        assert_eq!(preflight(&with_method("OPTIONS")), None);
    }

    #[test]
    fn only_browsers_get_the_headers() {
        let plain = HttpRequest::new("GET", "/");
        assert_eq!(share(&plain, HttpResponse::new(429, "")), HttpResponse::new(429, ""));
        let shared = share(&plain.header("Origin", "null"), HttpResponse::new(429, ""));
        assert_eq!(shared.get("Access-Control-Allow-Origin"), Some("*"));
        assert!(shared.get("Access-Control-Expose-Headers").unwrap().contains("Retry-After"));
    }
}
