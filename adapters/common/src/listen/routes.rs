//! Which listeners a notification is for.

use std::collections::HashMap;

use ringcentral_ws_core::MAX_FILTER_BYTES;

use super::pattern::{Path, Pattern, align};

/// Events whose listeners are remembered. With more of them all are forgotten and found anew.
const MAX_REMEMBERED: usize = 1024;

/// Who receives a notification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The listeners, by their places.
    pub listeners: Box<[u32]>,
    /// It is for the plain stream of events too.
    pub plain: bool,
}

/// A filter that somebody asked for, and who.
#[derive(Debug)]
struct Entry {
    /// As the server writes it, or as it was asked for while that is unknown.
    pattern: Pattern,
    route: Route,
}

/// The way from the event of a notification to its listeners. The first notification of an event looks at all filters;
/// the next ones find the answer in a table.
#[derive(Debug, Default)]
pub(super) struct Routes {
    entries: Vec<Entry>,
    /// The places of events in `routes`.
    remembered: HashMap<Box<str>, usize>,
    routes: Vec<Route>,
}

impl Routes {
    /// Replaces everything. `server`: the filters as the server stored them; empty if that is unknown.
    pub(super) fn set<'a>(&mut self, asked: impl Iterator<Item = (&'a str, Route)>, server: &[Box<str>]) {
        self.forget();
        let (patterns, routes): (Vec<_>, Vec<_>) = asked.map(|(text, route)| (Pattern::new(text), route)).unzip();
        let server: Vec<_> = server.iter().map(|text| Pattern::new(text)).collect();
        let spelled = align(&patterns, &server);
        let entries = patterns.into_iter().zip(routes).zip(spelled);
        self.entries = entries
            .map(|((asked, route), spelled)| Entry { pattern: spelled.map_or(asked, |i| server[i].clone()), route })
            .collect();
    }

    /// Who receives a notification of this event.
    pub(super) fn find(&mut self, event: &str) -> &Route {
        if let Some(place) = self.remembered.get(event) {
            return &self.routes[*place];
        }
        if self.routes.len() >= MAX_REMEMBERED {
            self.forget();
        }
        let place = self.routes.len();
        self.routes.push(self.search(&Pattern::new(event)));
        // What nobody can have asked for is not kept: the peer chooses its size.
        if event.len() <= MAX_FILTER_BYTES {
            self.remembered.insert(event.into(), place);
        }
        &self.routes[place]
    }

    fn forget(&mut self) {
        self.remembered.clear();
        self.routes.clear();
    }

    /// The nearest kind of match there is, and all filters that match so: the path decides, and parameters only exclude.
    /// The server sends one notification for several filters of one path, and its `event` is one of them.
    fn search(&self, event: &Pattern) -> Route {
        let matches = |entry: &&Entry| {
            let path = entry.pattern.path_of(event)?;
            (!entry.pattern.contradicts(event)).then_some(path)
        };
        let Some(nearest) = self.entries.iter().filter_map(|entry| matches(&entry)).min() else {
            // Nobody asked for anything like it: the stream that has everything else has this too.
            return Route { listeners: Box::default(), plain: true };
        };
        let depth = |entry: &Entry| if nearest == Path::Below { entry.pattern.text().matches('/').count() } else { 0 };
        let found: Vec<_> = self.entries.iter().filter(|entry| matches(entry) == Some(nearest)).collect();
        let deepest = found.iter().map(|entry| depth(entry)).max().unwrap_or_default();
        let mut route = Route::default();
        let mut listeners = Vec::new();
        for entry in found.into_iter().filter(|entry| depth(entry) == deepest) {
            listeners.extend(&*entry.route.listeners);
            route.plain |= entry.route.plain;
        }
        listeners.sort_unstable();
        listeners.dedup();
        route.listeners = listeners.into();
        route
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(asked: &[(&str, u32)], server: &[&str]) -> Routes {
        let mut routes = Routes::default();
        let server: Vec<Box<str>> = server.iter().map(|text| Box::from(*text)).collect();
        let asked = asked.iter().map(|(text, who)| (*text, Route { listeners: Box::new([*who]), plain: false }));
        routes.set(asked, &server);
        routes
    }

    fn find(routes: &mut Routes, event: &str) -> Vec<u32> {
        let first = routes.find(event).clone();
        assert_eq!(&first, routes.find(event), "the same from memory");
        assert!(!first.plain || first.listeners.is_empty());
        first.listeners.into()
    }

    #[test]
    fn the_server_s_spelling_leads_to_those_who_asked() {
        let asked = [("/account/~/extension/~/presence", 0), ("/account/~/extension/7/presence", 1)];
        let mut routes = routes(&asked, &["/account/1/extension/2/presence", "/account/1/extension/7/presence"]);
        assert_eq!(find(&mut routes, "/account/1/extension/2/presence"), [0]);
        assert_eq!(find(&mut routes, "/account/1/extension/7/presence"), [1]);
        assert_eq!(find(&mut routes, "/account/~/extension/7/presence"), [1], "as in published samples");
        assert_eq!(find(&mut routes, "/account/1/extension/2/presence?sipData=true"), [0]);
    }

    #[test]
    fn the_path_decides_and_parameters_exclude() {
        let all = [("/m", 0), ("/m?type=SMS", 1), ("/m?type=Fax", 2), ("/m/instant?type=SMS", 3)];
        let mut routes = routes(&all, &[]);
        assert_eq!(find(&mut routes, "/m?type=SMS"), [0, 1]);
        assert_eq!(find(&mut routes, "/m"), [0, 1, 2], "it may be any of them");
        assert_eq!(find(&mut routes, "/m/instant?type=SMS"), [3], "not those above it");
    }

    #[test]
    fn what_fits_nowhere_goes_to_the_nearest_and_is_never_dropped() {
        let mut routes = routes(&[("/a/1/presence", 0), ("/a", 1), ("/a/1/x", 2)], &[]);
        assert_eq!(find(&mut routes, "/a/1/x/y"), [2], "the deepest above it");
        assert_eq!(find(&mut routes, "/b/presence"), [0], "the same end");
        let other = routes.find("/b/c");
        assert_eq!((other.listeners.len(), other.plain), (0, true));
    }

    #[test]
    fn memory_is_bounded() {
        let mut routes = routes(&[("/a", 0)], &[]);
        for i in 0..=MAX_REMEMBERED {
            assert_eq!(find(&mut routes, &format!("/a/{i}")), [0]);
        }
        assert_eq!(routes.remembered.len(), 1);
        assert_eq!(find(&mut routes, &format!("/a/{}", "x".repeat(MAX_FILTER_BYTES))), [0]);
        assert_eq!(routes.remembered.len(), 1);
    }
}
