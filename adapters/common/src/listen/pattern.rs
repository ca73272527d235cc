//! Event filters as patterns: which one of the server's filters is which of those asked for, and which notification
//! belongs to which filter.

/// An event filter, taken apart: `/restapi/v1.0/account/~/extension/~/presence?sipData=true`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    text: Box<str>,
    /// Where the path ends.
    end: usize,
}

/// How two paths compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Path {
    /// Segment by segment the same; `~` stands for any id.
    Same,
    /// The other one goes on behind this one.
    Below,
    /// Only their last segments are the same.
    SameEnd,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.into(), end: text.find('?').unwrap_or(text.len()) }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn path(&self) -> &str {
        &self.text[..self.end]
    }

    fn params(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        let query = self.text.get(self.end + 1..).unwrap_or_default();
        query.split('&').filter(|part| !part.is_empty()).map(|part| part.split_once('=').unwrap_or((part, "")))
    }

    /// The values of a parameter, which may be a list or come more than once.
    fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.params().filter(move |(name, _)| name.eq_ignore_ascii_case(key)).flat_map(|(_, value)| value.split(','))
    }

    fn placeholders(&self) -> usize {
        self.path().split('/').filter(|segment| *segment == "~").count()
    }

    /// How the path of `other` compares with this one. The server replaces `~` by numeric ids, not always all of them.
    pub(super) fn path_of(&self, other: &Self) -> Option<Path> {
        let mut ours = self.path().split('/');
        let mut theirs = other.path().split('/');
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return Some(Path::Same),
                (None, Some(_)) => return Some(Path::Below),
                (Some(our), Some(their)) if our == their || our == "~" || their == "~" => {}
                _ => break,
            }
        }
        let end = |pattern: &Self| pattern.path().rsplit('/').next().map(str::to_owned);
        (end(self) == end(other)).then_some(Path::SameEnd)
    }

    /// Whether a parameter of both has different values, so that the two cannot be meant for each other. What is
    /// percent-encoded is not compared.
    pub(super) fn contradicts(&self, other: &Self) -> bool {
        self.params().any(|(key, _)| {
            let mut theirs = other.values(key).peekable();
            let may_be = |their: &str| {
                their.contains('%') || self.values(key).any(|our| our.contains('%') || our.eq_ignore_ascii_case(their))
            };
            theirs.peek().is_some() && !theirs.any(may_be)
        })
    }

    /// How many parameters one has and the other has not.
    fn difference(&self, other: &Self) -> usize {
        let lacks = |a: &Self, b: &Self| a.params().filter(|one| !b.params().any(|two| *one == two)).count();
        lacks(self, other) + lacks(other, self)
    }
}

/// Which of the server's filters each of the asked ones is: the one on the same path whose parameters differ least. Those
/// that name more ids come first; what they have taken is left over for one with `~` only if that finds no other.
pub(super) fn align(asked: &[Pattern], server: &[Pattern]) -> Vec<Option<usize>> {
    let mut found = vec![None; asked.len()];
    let mut taken = vec![false; server.len()];
    let mut order: Vec<(usize, usize)> =
        asked.iter().enumerate().map(|(place, one)| (one.placeholders(), place)).collect();
    order.sort_unstable();
    for group in order.chunk_by(|a, b| a.0 == b.0) {
        for (_, place) in group {
            let pattern = &asked[*place];
            let fits = |(i, one): (usize, &Pattern)| {
                let fits = pattern.path_of(one) == Some(Path::Same) && !pattern.contradicts(one);
                fits.then(|| (taken[i], pattern.difference(one), i))
            };
            found[*place] = server.iter().enumerate().filter_map(fits).min().map(|(_, _, i)| i);
        }
        for i in group.iter().filter_map(|(_, place)| found[*place]) {
            taken[i] = true;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "/restapi/v1.0/account/~/extension/~";
    const ONE: &str = "/restapi/v1.0/account/1/extension/2";

    fn of(base: &str, rest: &str) -> Pattern {
        Pattern::new(&format!("{base}{rest}"))
    }

    #[test]
    fn placeholders_stand_for_ids_on_both_sides() {
        let asked = of(OWN, "/presence");
        assert_eq!(asked.path_of(&of(ONE, "/presence?sipData=true")), Some(Path::Same));
        assert_eq!(asked.path_of(&of("/restapi/v1.0/account/~/extension/2", "/presence")), Some(Path::Same));
        assert_eq!(asked.path_of(&of(ONE, "/presence/line")), Some(Path::Below));
        assert_eq!(of(ONE, "/presence").path_of(&of("/restapi/v1.0/account/1", "/presence")), Some(Path::SameEnd));
        assert_eq!(asked.path_of(&of(ONE, "/voicemail")), None);
        assert_eq!(of(ONE, "/presence").path_of(&of("/restapi/v1.0/account/1/extension/3", "/voicemail")), None);
    }

    #[test]
    fn parameters_exclude_only_where_they_contradict() {
        let contradict = |a: &str, b: &str| {
            let (a, b) = (Pattern::new(a), Pattern::new(b));
            assert_eq!(a.contradicts(&b), b.contradicts(&a), "{a:?} {b:?}");
            a.contradicts(&b)
        };
        assert!(contradict("/a?type=SMS", "/a?type=Fax"));
        for (a, b) in [
            ("/a?type=SMS", "/a"),
            ("/a?type=SMS", "/a?type=sms"),
            ("/a?type=SMS", "/a?direction=Inbound"),
            ("/a?statusCode=Setup,Proceeding", "/a?statusCode=Proceeding"),
            ("/a?statusCode=Setup&statusCode=Answered", "/a?statusCode=Answered"),
            ("/a?phoneNumber=%2B1", "/a?phoneNumber=+1"),
        ] {
            assert!(!contradict(a, b), "{a} {b}");
        }
    }

    #[test]
    fn each_asked_filter_finds_the_server_s_spelling() {
        let asked = [of(OWN, "/presence?detailedTelephonyState=true&totalActiveCalls"), of(OWN, "/presence")];
        let server = [of(ONE, "/presence"), of(ONE, "/presence?detailedTelephonyState=true")];
        assert_eq!(align(&asked, &server), [Some(1), Some(0)]);
        // Whose id is written out takes its own; the placeholder is the other one.
        let asked = [of(OWN, "/presence"), of("/restapi/v1.0/account/~/extension/7", "/presence")];
        let server = ["/restapi/v1.0/account/1/extension/7", ONE].map(|base| of(base, "/presence"));
        assert_eq!(align(&asked, &server), [Some(1), Some(0)]);
        let literal = [asked[0].clone(), of("/restapi/v1.0/account/1/extension/7", "/presence")];
        assert_eq!(align(&literal, &server), [Some(1), Some(0)]);
        // The server has only one of both: it is the same extension.
        assert_eq!(align(&literal, &server[..1]), [Some(0), Some(0)]);
        assert_eq!(align(&[of(OWN, "/voicemail")], &server), [None]);
    }
}
