//! Queries from pairs.

/// The path with these pairs added to its query, percent-encoded; a query it has already stays in front.
///
/// ```
/// # use ringcentral_ws_adapter::with_query;
/// let path = with_query("/restapi/v1.0/account/~/extension/~/message-store?perPage=10", [("phoneNumber", "+1650")]);
/// assert_eq!(path, "/restapi/v1.0/account/~/extension/~/message-store?perPage=10&phoneNumber=%2B1650");
/// ```
#[must_use]
pub fn with_query<K, V>(path: &str, pairs: impl IntoIterator<Item = (K, V)>) -> String
where
    K: AsRef<str>,
    V: AsRef<str>,
{
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    let query = query.finish();
    let joint = match path.split_once('?') {
        _ if query.is_empty() => "",
        None => "?",
        Some((_, had)) if had.is_empty() || had.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{path}{joint}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_join_what_is_there() {
        let none: [(&str, &str); 0] = [];
        assert_eq!(with_query("/p", none), "/p");
        assert_eq!(with_query("/p", [("a", "b c"), ("a", "ü&\r\nX: y")]), "/p?a=b+c&a=%C3%BC%26%0D%0AX%3A+y");
        assert_eq!(with_query("/p?", [("a", "1")]), "/p?a=1");
        assert_eq!(with_query("/p?x=1", [("a", "1")]), "/p?x=1&a=1");
    }
}
