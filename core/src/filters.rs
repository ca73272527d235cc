//! Event filters: which events a subscription is for.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most event filters of a subscription. The server's own limit is not documented; more than 2000 are known to work.
pub const MAX_FILTERS: usize = 5000;
/// Most bytes of an event filter.
pub const MAX_FILTER_BYTES: usize = 2048;

/// The event filters of a subscription: 1 to [`MAX_FILTERS`] different ones, in their order.
///
/// A filter begins with `/`, has at most [`MAX_FILTER_BYTES`] bytes, and contains no white space or control characters.
/// Cloning shares the list.
///
/// ```
/// use ringcentral_ws_core::Filters;
///
/// let presence = "/restapi/v1.0/account/~/extension/~/presence";
/// let filters = Filters::new([presence, "/restapi/v1.0/account/~/extension/~/message-store", presence])?;
/// assert_eq!(filters.len(), 2);
/// assert!(Filters::new(["presence"]).is_err());
/// # Ok::<(), ringcentral_ws_core::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filters(Arc<[Box<str>]>);

impl Filters {
    /// Checks the filters and drops repeated ones.
    ///
    /// # Errors
    ///
    /// [`FilterError`]: there is none, there are too many, or one of them cannot be a filter.
    pub fn new<I>(items: I) -> Result<Self, FilterError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut seen = BTreeSet::new();
        let mut list: Vec<Box<str>> = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let filter = item.as_ref();
            if let Some(problem) = problem(filter) {
                let shown: String = filter.chars().take(80).collect();
                return Err(FilterError::Bad { index, filter: shown.into(), problem });
            }
            if seen.insert(Box::<str>::from(filter)) {
                if list.len() == MAX_FILTERS {
                    return Err(FilterError::TooMany);
                }
                list.push(filter.into());
            }
        }
        if list.is_empty() { Err(FilterError::Empty) } else { Ok(Self(list.into())) }
    }

    /// The filters in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + DoubleEndedIterator + Clone {
        self.0.iter().map(AsRef::as_ref)
    }

    /// How many there are; never zero.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<'a> IntoIterator for &'a Filters {
    type Item = &'a str;
    type IntoIter = std::iter::Map<std::slice::Iter<'a, Box<str>>, fn(&'a Box<str>) -> &'a str>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(AsRef::as_ref)
    }
}

impl Serialize for Filters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<'de> Deserialize<'de> for Filters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::<String>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

fn problem(filter: &str) -> Option<FilterProblem> {
    if !filter.starts_with('/') {
        Some(FilterProblem::NoSlash)
    } else if filter.len() > MAX_FILTER_BYTES {
        Some(FilterProblem::TooLong)
    } else if filter.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Some(FilterProblem::Whitespace)
    } else {
        None
    }
}

/// Why a list of filters was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterError {
    /// There was none.
    Empty,
    /// There were more than [`MAX_FILTERS`].
    TooMany,
    /// One of them cannot be a filter.
    Bad {
        /// Its place, from zero.
        index: usize,
        /// Its first 80 characters.
        filter: Box<str>,
        /// What is wrong with it.
        problem: FilterProblem,
    },
}

/// What is wrong with a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterProblem {
    /// It does not begin with `/`.
    NoSlash,
    /// It is longer than [`MAX_FILTER_BYTES`].
    TooLong,
    /// It holds whitespace or a control character.
    Whitespace,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => {
                f.write_str("no event filter: give at least one, such as /restapi/v1.0/account/~/extension/~/presence")
            }
            Self::TooMany => write!(f, "more than {MAX_FILTERS} event filters: split them over several sessions"),
            Self::Bad { index, filter, problem } => {
                write!(f, "event filter {} ({filter:?}) ", index + 1)?;
                match problem {
                    FilterProblem::NoSlash => f.write_str(
                        "does not begin with '/': write the path without the host, such as \
                         /restapi/v1.0/account/~/extension/~/presence",
                    ),
                    FilterProblem::TooLong => write!(f, "is longer than {MAX_FILTER_BYTES} bytes: write a shorter one"),
                    FilterProblem::Whitespace => f.write_str(
                        "holds whitespace or a control character: remove it, or write it percent-encoded (%20)",
                    ),
                }
            }
        }
    }
}

impl std::error::Error for FilterError {}

/// A filter that the server disabled ([SUB-6](crate::protocol#sub-6)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisabledFilter {
    /// The filter.
    pub filter: Box<str>,
    /// The server's code or word, such as `WithoutPermission`.
    pub reason: Box<str>,
    /// One line for people.
    pub message: Box<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_merged_in_order() {
        let filters = Filters::new(["/b", "/a", "/b"]).unwrap();
        assert_eq!(filters.iter().collect::<Vec<_>>(), ["/b", "/a"]);
        assert_eq!((&filters).into_iter().count(), filters.len());
        let json = serde_json::to_string(&filters).unwrap();
        assert_eq!(json, r#"["/b","/a"]"#);
        assert_eq!(serde_json::from_str::<Filters>(&json).unwrap(), filters);
        assert!(serde_json::from_str::<Filters>(r#"["x"]"#).is_err());
    }

    #[test]
    fn refusals_say_what_to_write() {
        let error = |items: &[&str]| Filters::new(items).unwrap_err().to_string();
        assert!(error(&[]).contains("at least one"));
        assert!(error(&["/a", "https://h/b"]).starts_with("event filter 2 (\"https://h/b\")"));
        assert!(error(&["/a b"]).contains("%20"));
        assert!(error(&[&format!("/{}", "x".repeat(MAX_FILTER_BYTES))]).contains("2048"));
        let many = |n: usize| Filters::new((0..n).map(|i| format!("/{i}")));
        assert_eq!(many(MAX_FILTERS).unwrap().len(), MAX_FILTERS);
        assert_eq!(many(MAX_FILTERS + 1), Err(FilterError::TooMany));
    }
}
