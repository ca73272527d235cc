//! Which filter of many the server has refused.

use ringcentral_ws_core::ApiError;

/// Refusals that do not name a filter before the search is given up. Nine find one among 256.
pub(super) const MAX_TRIALS: u32 = 12;

/// The filters that the error names.
pub(super) fn named<'a>(error: &ApiError, filters: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let texts = || std::iter::once(&*error.message).chain(error.errors.iter().map(|(_, message)| &**message));
    filters.filter(|filter| texts().any(|text| names(text, filter))).collect()
}

/// Whether the text has this filter, and not only a longer one that contains it.
fn names(text: &str, filter: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || "/?&=~_-%+".contains(c);
    text.match_indices(filter).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + filter.len()..].chars().next());
        !before.is_some_and(goes_on) && !after.is_some_and(goes_on)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_named_only_as_a_whole() {
        let text = "Invalid event filters: [/a/presence/line, /b?type=SMS]";
        assert!(names(text, "/a/presence/line") && names(text, "/b?type=SMS"));
        assert!(!names(text, "/a/presence") && !names(text, "/presence/line") && !names(text, "/b"));
        assert!(names("'/a': no permission", "/a") && names("/a.", "/a") && names("/ab /a", "/a"));
    }
}
