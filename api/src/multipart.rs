//! Bodies of several parts, as the fax and MMS calls take them.

use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use ringcentral_ws_core::Body;
use sha2::{Digest, Sha256};

/// One part of a [`Multipart`].
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    name: String,
    filename: Option<String>,
    content_type: Option<String>,
    body: Bytes,
}

impl Part {
    /// A field of a form.
    #[must_use]
    pub fn text(name: &str, value: &str) -> Self {
        let body = Bytes::copy_from_slice(value.as_bytes());
        Self { name: name.to_owned(), filename: None, content_type: None, body }
    }

    /// A JSON document, such as the part `json` of a fax.
    #[must_use]
    pub fn json(name: &str, json: impl Into<Bytes>) -> Self {
        let content_type = Some("application/json".to_owned());
        Self { name: name.to_owned(), filename: None, content_type, body: json.into() }
    }

    /// A file, such as a part `attachment`.
    #[must_use]
    pub fn file(name: &str, filename: &str, content_type: &str, body: impl Into<Bytes>) -> Self {
        let (filename, content_type) = (Some(filename.to_owned()), Some(content_type.to_owned()));
        Self { name: name.to_owned(), filename, content_type, body: body.into() }
    }

    fn head(&self) -> Result<String, http::Error> {
        let mut head = format!("Content-Disposition: form-data; name=\"{}\"", quoted(&self.name));
        if let Some(filename) = &self.filename {
            head.push_str(&format!("; filename=\"{}\"", quoted(filename)));
        }
        head.push_str("\r\n");
        if let Some(content_type) = &self.content_type {
            // What is no header value here would be one more header, or the end of the head.
            HeaderValue::from_str(content_type)?;
            head.push_str(&format!("Content-Type: {content_type}\r\n"));
        }
        head.push_str("\r\n");
        Ok(head)
    }
}

impl fmt::Debug for Part {
    /// Shows the length of the body only: it may hold what a user wrote.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Part({:?}, {:?}, {} bytes)", self.name, self.content_type, self.body.len())
    }
}

/// A body of the type `multipart/form-data`. It goes over HTTPS, whatever the settings
/// ([REQ-5](ringcentral_ws_core::protocol#req-5)).
///
/// ```
/// # use ringcentral_ws_api::{Multipart, Part};
/// let fax = Multipart::new()
///     .part(Part::json("json", r#"{"to":[{"phoneNumber":"+16505550100"}],"faxResolution":"High"}"#))
///     .part(Part::file("attachment", "letter.pdf", "application/pdf", b"%PDF-".to_vec()))
///     .post("/restapi/v1.0/account/~/extension/~/fax")?;
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Multipart {
    parts: Vec<Part>,
}

impl Multipart {
    /// No parts.
    #[must_use]
    pub const fn new() -> Self {
        Self { parts: Vec::new() }
    }

    /// Adds a part behind the others.
    #[must_use]
    pub fn part(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    /// The request that posts it. The same parts give the same bytes.
    ///
    /// # Errors
    ///
    /// When the URI is none, or the content type of a part cannot be a header.
    pub fn post(self, uri: &str) -> Result<Request<Body>, http::Error> {
        let (content_type, body) = self.encode()?;
        let request = Request::builder().method(Method::POST).uri(uri).header(header::CONTENT_TYPE, content_type);
        request.body(body)
    }

    /// The value of `Content-Type`, and the body, for a request of another kind.
    ///
    /// # Errors
    ///
    /// When the content type of a part cannot be a header.
    pub fn encode(&self) -> Result<(HeaderValue, Body), http::Error> {
        let heads = self.parts.iter().map(Part::head).collect::<Result<Vec<_>, _>>()?;
        let boundary = self.boundary();
        let sizes = heads.iter().zip(&self.parts).map(|(head, part)| head.len() + part.body.len());
        let mut body = Vec::with_capacity(sizes.sum::<usize>() + (self.parts.len() + 1) * (boundary.len() + 8));
        for (head, part) in heads.iter().zip(&self.parts) {
            body.extend_from_slice(format!("--{boundary}\r\n{head}").as_bytes());
            body.extend_from_slice(&part.body);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Ok((HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}"))?, Body::from(body)))
    }

    /// A boundary that occurs in no part. It is made of the content, so each try gives another one, and a body can hold
    /// only so many of them.
    fn boundary(&self) -> String {
        (0_u64..).map(|number| self.candidate(number)).find(|boundary| !self.holds(boundary)).unwrap_or_default()
    }

    fn candidate(&self, number: u64) -> String {
        let mut hash = Sha256::new_with_prefix(number.to_be_bytes());
        for part in &self.parts {
            hash.update((part.body.len() as u64).to_be_bytes());
            hash.update(&part.body);
        }
        hash.finalize().iter().take(16).fold("rcws-".to_owned(), |text, byte| format!("{text}{byte:02x}"))
    }

    fn holds(&self, boundary: &str) -> bool {
        let boundary = boundary.as_bytes();
        self.parts.iter().any(|part| part.body.windows(boundary.len()).any(|window| window == boundary))
    }
}

/// As browsers write names and file names: quotes and line ends are escaped, all else is UTF-8.
fn quoted(text: &str) -> String {
    text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(form: &Multipart) -> (String, String) {
        let (content_type, body) = form.encode().unwrap();
        let boundary =
            content_type.to_str().unwrap().strip_prefix("multipart/form-data; boundary=").unwrap().to_owned();
        (boundary, String::from_utf8(body.as_bytes().to_vec()).unwrap())
    }

    #[test]
    fn parts_are_written_in_order() {
        let form = Multipart::new()
            .part(Part::json("json", "{}"))
            .part(Part::text("note", "héllo\r\nyou"))
            .part(Part::file("attachment", "a.txt", "text/plain", "--x\r\n"));
        let (b, body) = text(&form);
        let expected = format!(
            "--{b}\r\nContent-Disposition: form-data; name=\"json\"\r\nContent-Type: application/json\r\n\r\n{{}}\r\n\
             --{b}\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhéllo\r\nyou\r\n\
             --{b}\r\nContent-Disposition: form-data; name=\"attachment\"; filename=\"a.txt\"\r\n\
             Content-Type: text/plain\r\n\r\n--x\r\n\r\n--{b}--\r\n"
        );
        assert_eq!(body, expected);
        assert_eq!(text(&form), (b, body), "the same parts give the same bytes");
        assert_eq!(text(&Multipart::new()).1.lines().count(), 1);
    }

    #[test]
    fn the_boundary_occurs_in_no_part() {
        let form = Multipart::new().part(Part::text("a", "1"));
        // A part cannot hold the boundary that is made of itself, so the search is shown one by one.
        let first = form.candidate(0);
        assert!(!form.holds(&first) && first.len() == 37);
        assert_eq!(text(&form).0, first);
        let bad = Multipart::new().part(Part::text("a", &format!("x{first}y")));
        assert!(bad.holds(&first) && !bad.holds(&text(&bad).0));
        assert_ne!(form.candidate(0), form.candidate(1));
    }

    #[test]
    fn names_and_types_cannot_add_headers() {
        let sly = "a\"\r\nX-Evil: 1";
        let (_, body) = text(&Multipart::new().part(Part::file(sly, sly, "text/plain", "")));
        assert!(body.contains("name=\"a%22%0D%0AX-Evil: 1\"; filename=\"a%22%0D%0AX-Evil: 1\"\r\n"), "{body}");
        assert!(Multipart::new().part(Part::file("a", "b", "text/plain\r\nX-Evil: 1", "")).post("/x").is_err());
        assert!(Multipart::new().part(Part::text("a", "b")).post("no uri").is_err());
        assert!(!format!("{:?}", Multipart::new().part(Part::text("a", "private"))).contains("private"));
    }
}
