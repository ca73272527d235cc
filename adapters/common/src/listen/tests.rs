//! Tests of the hub, each of a rule, and of what the pump has of the listeners.

use std::time::{Duration, Instant};

use ringcentral_ws_core::{
    ApiError, Certainty, DisabledFilter, Event, Filters, GapCause, MAX_FILTERS, Snapshot, SubscriptionId,
    SubscriptionInfo, SubscriptionState, Timestamp, UnixMillis,
};

use super::*;
use crate::clock::{Clock, ClockTimes};

fn at(ms: u64) -> Timestamp {
    Timestamp::from_micros(ms * 1000)
}

fn filters(list: &[&str]) -> Filters {
    Filters::new(list).unwrap()
}

fn info(requested: &Filters) -> SubscriptionInfo {
    SubscriptionInfo {
        id: SubscriptionId::from(1),
        server_id: "s".into(),
        requested: requested.clone(),
        filters: requested.iter().map(|filter| filter.replace('~', "1").into()).collect(),
        disabled: Vec::new(),
        expires_in: None,
        status: None,
        transport: None,
    }
}

fn error(message: &str) -> ApiError {
    let body = format!(r#"{{"errorCode":"SUB-508","message":"{message}"}}"#);
    ApiError::from_reply(400, &http::HeaderMap::new(), body.as_bytes())
}

/// A hub, and a server that says yes to all but what it refuses.
struct Play {
    hub: Hub,
    now: u64,
    /// Changes that were asked of the session.
    changes: usize,
    refuses: Vec<&'static str>,
    names: bool,
    has: Option<Filters>,
}

impl Play {
    fn new() -> Self {
        Self { hub: Hub::new(None, false), now: 0, changes: 0, refuses: Vec::new(), names: true, has: None }
    }

    fn join(&mut self, list: &[&str]) -> u32 {
        self.hub.join(filters(list), at(self.now)).unwrap().0
    }

    fn leave(&mut self, listener: u32) {
        self.hub.leave(listener, at(self.now));
    }

    /// Lets time pass, with a server that answers at once. Who became live, and who was refused.
    fn pass(&mut self, ms: u64) -> (Vec<u32>, Vec<u32>) {
        let end = self.now + ms;
        let (mut live, mut refused) = (Vec::new(), Vec::new());
        while let Some(due) = self.hub.deadline(true).filter(|due| *due <= at(end)) {
            self.now = self.now.max(due.as_micros() / 1000);
            let Some(change) = self.hub.take_change(at(self.now), true) else { continue };
            self.changes += 1;
            match change {
                Change::Unsubscribe => {
                    self.has = None;
                    self.hub.unsubscribed(at(self.now));
                }
                Change::Subscribe(asked) => {
                    let bad: Vec<_> = self.refuses.iter().filter(|bad| asked.iter().any(|one| one == **bad)).collect();
                    if bad.is_empty() {
                        live.extend(
                            self.hub.subscribed(&info(&asked), true, at(self.now)).iter().map(|live| live.listener),
                        );
                        self.has = Some(asked);
                    } else {
                        let text =
                            if self.names { format!("Invalid: {bad:?}").replace('"', "'") } else { "no".to_owned() };
                        let refusals = self.hub.refused(&error(&text), self.has.is_some(), at(self.now));
                        refused.extend(refusals.iter().map(|refusal| refusal.listener));
                    }
                }
            }
        }
        self.now = end;
        (live, refused)
    }

    fn route(&mut self, event: &str) -> (Vec<u32>, bool) {
        let route = self.hub.route(event);
        (route.listeners.to_vec(), route.plain)
    }

    fn has(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.has.iter().flat_map(Filters::iter).collect();
        all.sort_unstable();
        all
    }
}

// CLAUSE SUB-1
#[test]
fn those_who_come_together_share_a_call_and_each_learns_that_it_is_live() {
    let mut play = Play::new();
    let (a, b) = (play.join(&["/~/a"]), play.join(&["/~/b", "/~/a"]));
    assert_eq!(play.pass(19), (vec![], vec![]));
    assert_eq!(play.pass(1), (vec![a, b], vec![]));
    assert_eq!((play.changes, play.has()), (1, vec!["/~/a", "/~/b"]));
    assert_eq!(play.route("/1/a"), (vec![a, b], false));
    assert_eq!(play.route("/1/b"), (vec![b], false));
    // What the server has already needs no call.
    let (c, live) = play.hub.join(filters(&["/~/b"]), at(play.now)).unwrap();
    assert_eq!(live.map(|live| (live.listener, live.lost_since)), Some((c, None)));
    assert_eq!((play.pass(5000), play.changes), ((vec![], vec![]), 1));
}

#[test]
fn who_is_not_live_yet_receives_nothing() {
    let mut play = Play::new();
    let a = play.join(&["/a"]);
    assert_eq!((play.route("/a"), play.hub.concerned().count()), ((vec![], false), 0));
    play.pass(20);
    assert_eq!((play.route("/a"), play.hub.concerned().collect::<Vec<_>>()), ((vec![a], false), vec![a]));
}

// CLAUSE SUB-1
#[test]
fn who_leaves_costs_one_call_later_and_nothing_if_somebody_comes_back() {
    let mut play = Play::new();
    let (a, b) = (play.join(&["/a"]), play.join(&["/b"]));
    play.pass(20);
    play.leave(a);
    assert_eq!(play.route("/a"), (vec![], false), "it is for nobody, and not for the plain stream");
    play.pass(500);
    assert_eq!(play.join(&["/a"]), a, "its place is free");
    play.pass(2000);
    assert_eq!((play.changes, play.has()), (1, vec!["/a", "/b"]));
    play.leave(a);
    play.pass(999);
    assert_eq!(play.has(), ["/a", "/b"]);
    play.pass(1);
    assert_eq!((play.changes, play.has()), (2, vec!["/b"]));
    assert_eq!(play.route("/a"), (vec![], false), "what was on its way is for nobody");
    // SUB-7: the last one unsubscribes.
    play.leave(b);
    play.pass(1000);
    assert_eq!((play.changes, play.has.is_none(), play.hub.deadline(true)), (3, true, None));
}

#[test]
fn changes_are_limited_and_come_one_at_a_time() {
    let mut play = Play::new();
    let names: Vec<String> = (0..20).map(|n| format!("/{n}")).collect();
    for name in &names {
        play.join(&[name]);
        play.pass(100);
    }
    assert_eq!(play.changes, 5);
    play.pass(10_000);
    assert_eq!((play.changes, play.has().len()), (6, 20), "the rest share one call");
    // While an answer is to come nothing is asked; without a connection it costs nothing.
    let mut hub = Hub::new(None, false);
    hub.join(filters(&["/a"]), at(0)).unwrap();
    assert!(hub.take_change(at(20), true).is_some());
    hub.join(filters(&["/b"]), at(20)).unwrap();
    assert_eq!((hub.deadline(true), hub.take_change(at(99), true)), (None, None));
    assert_eq!(hub.deadline(false), Some(at(40)));
    assert_eq!(hub.take_change(at(99), false), Some(Change::Subscribe(filters(&["/a", "/b"]))));
}

#[test]
fn the_plain_stream_is_one_more_that_asks() {
    let mut hub = Hub::new(Some(filters(&["/p"])), true);
    let (a, _) = hub.join(filters(&["/a"]), at(0)).unwrap();
    let change = hub.take_change(at(20), true);
    assert_eq!(change, Some(Change::Subscribe(filters(&["/a", "/p"]))));
    hub.subscribed(&info(&filters(&["/a", "/p"])), true, at(21));
    assert_eq!((hub.route("/p").plain, hub.route("/a").plain), (true, false));
    hub.set_plain(None, at(30)).unwrap();
    assert_eq!(hub.change_now(at(30), true, false), Some(Change::Subscribe(filters(&["/a"]))));
    hub.subscribed(&info(&filters(&["/a"])), true, at(31));
    assert_eq!(hub.route("/p"), &Route::default(), "given up");
    assert_eq!(&*hub.route("/a").listeners, [a]);
    assert!(hub.route("/unknown").plain, "nobody asked for it");
    hub.set_plain(Some(filters(&["/a"])), at(40)).unwrap();
    assert_eq!(hub.change_now(at(40), true, false), None, "the server has it");
    assert_eq!(hub.route("/a"), &Route { listeners: Box::new([a]), plain: true });
    assert!(hub.change_now(at(40), true, true).is_some(), "a call of subscribe is answered");
}

// CLAUSE SUB-5
#[test]
fn a_refused_filter_ends_only_those_who_asked_for_it() {
    let mut play = Play::new();
    play.refuses = vec!["/bad"];
    let (a, b, c) = (play.join(&["/a"]), play.join(&["/b", "/bad"]), play.join(&["/c"]));
    assert_eq!(play.pass(5000), (vec![a, c], vec![b]));
    assert_eq!((play.changes, play.has()), (2, vec!["/a", "/c"]));
    let d = play.join(&["/bad"]);
    assert_eq!(d, b);
    assert_eq!(play.pass(5000), (vec![], vec![d]));
    assert_eq!((play.changes, play.has()), (3, vec!["/a", "/c"]), "what stood stands");
}

// CLAUSE SUB-5
#[test]
fn what_the_server_does_not_name_is_searched_for_within_bounds() {
    for bad in 0..16 {
        let mut play = Play::new();
        (play.names, play.refuses) = (false, vec![["/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7"][bad / 2]]);
        let names: Vec<String> = (0..16).map(|n| format!("/{n}")).collect();
        let all: Vec<u32> = names.iter().map(|name| play.join(&[name])).collect();
        let (live, refused) = play.pass(600_000);
        assert_eq!((live.len(), refused), (15, vec![all[bad / 2]]));
        assert!(play.changes <= 10, "{}", play.changes);
        assert_eq!(play.has().len(), 15);
    }
    // Everything is refused: it ends.
    let mut play = Play::new();
    (play.names, play.refuses) = (false, (0..64).map(|n| &*format!("/{n}").leak()).collect());
    let names: Vec<String> = (0..64).map(|n| format!("/{n}")).collect();
    for name in &names {
        play.join(&[name]);
    }
    let (live, refused) = play.pass(3_600_000);
    assert_eq!((live.len(), refused.len()), (0, 64));
    assert!(play.changes <= 64, "{}", play.changes);
    assert_eq!(play.hub.listeners(), 0);
}

// CLAUSE SUB-5 REC-5
#[test]
fn who_loses_the_subscription_to_others_has_a_gap_before_it_is_live_again() {
    let mut play = Play::new();
    let (a, _) = (play.join(&["/a"]), play.join(&["/b"]));
    play.pass(20);
    play.has = None;
    // The session is lost; the server refuses to make it anew, and does not say why.
    let refusals = play.hub.refused(&error("no"), false, at(100));
    assert_eq!((refusals, play.hub.concerned().count()), (vec![], 0));
    let Some(Change::Subscribe(first)) = play.hub.take_change(at(100), true) else { panic!() };
    assert_eq!(first, filters(&["/a"]));
    let live = play.hub.subscribed(&info(&first), true, at(110));
    assert_eq!(live, [Live { listener: a, lost_since: Some(at(100)), disabled: Box::default() }]);
    let Some(Change::Subscribe(all)) = play.hub.take_change(at(110), true) else { panic!() };
    let live = play.hub.subscribed(&info(&all), true, at(120));
    assert_eq!((live.len(), live[0].lost_since), (1, Some(at(100))));
}

#[test]
fn a_call_with_fewer_filters_that_is_refused_is_not_repeated() {
    let mut play = Play::new();
    let (a, b) = (play.join(&["/a"]), play.join(&["/b"]));
    play.pass(20);
    play.leave(a);
    play.refuses = vec!["/b"];
    play.names = false;
    assert_eq!((play.pass(600_000), play.changes), ((vec![], vec![]), 2));
    assert_eq!(play.route("/b"), (vec![b], false));
    // The end of everything is asked for once, too.
    play.leave(b);
    assert_eq!(play.hub.take_change(at(play.now + 1000), true), Some(Change::Unsubscribe));
    assert_eq!(play.hub.refused(&error("no"), true, at(play.now)), []);
    assert_eq!(play.hub.deadline(true), None);
}

// CLAUSE SUB-5
#[test]
fn the_plain_stream_goes_back_to_what_it_had() {
    let mut hub = Hub::new(Some(filters(&["/p"])), true);
    hub.join(filters(&["/a"]), at(0)).unwrap();
    hub.take_change(at(20), true);
    hub.subscribed(&info(&filters(&["/a", "/p"])), true, at(20));
    hub.set_plain(Some(filters(&["/bad"])), at(30)).unwrap();
    assert_eq!(hub.change_now(at(30), true, true), Some(Change::Subscribe(filters(&["/a", "/bad"]))));
    assert_eq!(hub.refused(&error("/bad"), true, at(31)), []);
    assert_eq!(hub.take_change(at(31), true), None, "the server still has it");
    assert_eq!(hub.route("/bad"), &Route::default(), "an earlier call may have run");
    assert!(hub.route("/p").plain);
}

// CLAUSE SUB-8
#[test]
fn an_answer_to_an_earlier_change_does_not_end_the_wait_and_an_older_subscription_is_changed_anew() {
    let mut hub = Hub::new(None, false);
    hub.join(filters(&["/a"]), at(0)).unwrap();
    hub.take_change(at(20), false);
    hub.join(filters(&["/b"]), at(20)).unwrap();
    hub.take_change(at(40), false);
    assert_eq!(hub.subscribed(&info(&filters(&["/a"])), false, at(50)).len(), 1);
    assert!(hub.is_awaiting());
    assert_eq!(hub.subscribed(&info(&filters(&["/a", "/b"])), true, at(60)).len(), 1);
    assert!(!hub.is_awaiting());
    // The session was lost after a refusal: it makes anew what it had before that.
    assert_eq!(hub.subscribed(&info(&filters(&["/a"])), true, at(70)), []);
    assert_eq!(hub.take_change(at(70), true), Some(Change::Subscribe(filters(&["/a", "/b"]))));
}

// CLAUSE SUB-6
#[test]
fn each_learns_of_its_disabled_filters_and_of_changes() {
    let mut hub = Hub::new(None, false);
    let both = filters(&["/~/a", "/~/b"]);
    hub.join(filters(&["/~/a"]), at(0)).unwrap();
    hub.join(filters(&["/~/b"]), at(0)).unwrap();
    hub.take_change(at(20), true);
    let mut answer = info(&both);
    answer.filters.remove(1);
    let one = DisabledFilter { filter: "/1/b".into(), reason: "r".into(), message: "m".into() };
    answer.disabled.push(one.clone());
    let live = hub.subscribed(&answer, true, at(21));
    assert_eq!(live.iter().map(|live| live.disabled.to_vec()).collect::<Vec<_>>(), [vec![], vec![one]]);
    assert_eq!(hub.subscribed(&answer, true, at(22)), [], "nothing is new");
    let live = hub.subscribed(&info(&both), true, at(23));
    assert_eq!((live.len(), live[0].listener, live[0].disabled.len()), (1, 1, 0));
}

#[test]
fn there_are_bounds() {
    let mut hub = Hub::new(None, false);
    for _ in 0..MAX_LISTENERS {
        hub.join(filters(&["/a"]), at(0)).unwrap();
    }
    assert_eq!(hub.join(filters(&["/a"]), at(0)), Err(ListenError::TooManyListeners));
    let mut hub = Hub::new(None, false);
    let many = Filters::new((0..MAX_FILTERS).map(|n| format!("/{n}"))).unwrap();
    let (all, _) = hub.join(many.clone(), at(0)).unwrap();
    hub.join(filters(&["/0"]), at(0)).unwrap();
    assert_eq!(hub.join(filters(&["/x"]), at(0)), Err(ListenError::TooManyFilters));
    assert_eq!(hub.set_plain(Some(filters(&["/x"])), at(0)), Err(ListenError::TooManyFilters));
    hub.leave(all, at(0));
    hub.set_plain(Some(many), at(0)).unwrap();
    hub.set_plain(Some(filters(&["/x"])), at(0)).unwrap();
    for error in [ListenError::TooManyListeners, ListenError::TooManyFilters, ListenError::Closed] {
        assert!(error.to_string().contains(": "), "{error}");
    }
}

/// The pump's part, with a session that is played by hand.
struct Desk {
    board: Switchboard,
    clock: Clock,
    now: u64,
    id: u64,
}

impl Desk {
    fn new() -> Self {
        Self::restored(None)
    }

    fn restored(restart: Option<Restart>) -> Self {
        let clock = Clock::new(Duration::from_secs(2), ClockTimes::system);
        Self { board: Switchboard::new(restart.map(Box::new)), clock, now: 0, id: 0 }
    }

    fn gap(&mut self, gap: &Gap) {
        let moment = Moment { now: at(self.now), clock: &self.clock, stands: true };
        self.board.note_gap(gap, moment.now);
        assert!(self.board.pass(Event::Gap(gap.clone()), moment).is_some());
    }

    fn join(&mut self, list: &[&str]) -> LaneReceiver {
        let moment = Moment { now: at(self.now), clock: &self.clock, stands: true };
        let before = (None, SubscriptionState::None);
        self.board.join(filters(list), &ListenOptions::new(), before, moment).unwrap()
    }

    /// The change that is due within two seconds, under the next id.
    fn change(&mut self) -> Option<Change> {
        self.now += 2000;
        let change = self.board.take_change(at(self.now), true)?;
        if let Change::Subscribe(_) = change {
            self.id += 1;
            self.board.asked(Some(SubscriptionId::from(self.id)));
        } else {
            self.board.asked(None);
        }
        Some(change)
    }

    fn subscribed(&mut self, list: &[&str]) {
        let info = SubscriptionInfo { id: SubscriptionId::from(self.id), ..info(&filters(list)) };
        let moment = Moment { now: at(self.now), clock: &self.clock, stands: true };
        assert!(self.board.pass(Event::Subscribed(Box::new(info)), moment).is_some());
    }

    /// A refusal that names no filter.
    fn refused(&mut self, id: u64, stands: bool) {
        let (id, error) = (SubscriptionId::from(id), Box::new(error("no")));
        let moment = Moment { now: at(self.now), clock: &self.clock, stands };
        let event = Event::SubscriptionFailed { id, error, retry_at: None, delay: None };
        assert!(self.board.pass(event, moment).is_some());
    }
}

fn next(lane: &mut LaneReceiver) -> Option<ListenerEvent> {
    lane.wait_next(Some(Instant::now())).flatten()
}

// CLAUSE SUB-5
#[test]
fn the_session_may_be_refused_what_it_had_before_an_earlier_refusal() {
    let mut desk = Desk::new();
    let mut a = desk.join(&["/a"]);
    assert!(desk.change().is_some());
    desk.subscribed(&["/a"]);
    let mut bad = desk.join(&["/bad"]);
    assert!(desk.change().is_some());
    desk.refused(2, true);
    assert!(matches!(next(&mut bad), Some(ListenerEvent::Refused { .. })));
    assert_eq!(bad.wait_next(None), Some(None), "it has ended");
    // The session is lost, and made anew with what it had: the id is that of the first call.
    assert_eq!(next(&mut a), Some(ListenerEvent::Live { disabled: Box::default() }));
    desk.refused(1, false);
    assert!(matches!(next(&mut a), Some(ListenerEvent::Refused { .. })));
}

// CLAUSE SUB-5 SUB-7
#[test]
fn a_refused_end_holds_nothing_up() {
    let mut desk = Desk::new();
    let a = desk.join(&["/a"]);
    assert!(desk.change().is_some());
    desk.subscribed(&["/a"]);
    let bad = desk.join(&["/bad"]);
    assert!(desk.change().is_some());
    desk.refused(2, true);
    drop((a, bad));
    desk.board.sweep(at(desk.now));
    assert_eq!(desk.change(), Some(Change::Unsubscribe));
    desk.refused(1, true);
    let _b = desk.join(&["/b"]);
    assert_eq!(desk.change(), Some(Change::Subscribe(filters(&["/b"]))));
}

// CLAUSE REC-5
#[test]
fn the_gap_of_a_restart_waits_for_listeners_that_are_not_live_and_comes_once() {
    let lost = Snapshot::lost(&"https://example.com".parse().unwrap(), UnixMillis(5));
    let mut desk = Desk::restored(Some(Restart::new(&lost, UnixMillis(100))));
    let gap = |certainty, since, until| {
        let (since, until) = (UnixMillis(since), UnixMillis(until));
        Gap { cause: GapCause::Restored, certainty, after: None, since, until }
    };
    let live = || Some(ListenerEvent::Live { disabled: Box::default() });
    let mut early = desk.join(&["/a"]);
    // Two of the time before are one; one of this run is for those that are live.
    desk.gap(&gap(Certainty::Possible, 50, 110));
    desk.gap(&Gap { cause: GapCause::ReplayOverflow, ..gap(Certainty::Probable, 40, 120) });
    desk.gap(&gap(Certainty::Certain, 101, 130));
    assert_eq!(next(&mut early), None);
    assert!(desk.change().is_some());
    desk.subscribed(&["/a"]);
    let whole = Gap { cause: GapCause::ReplayOverflow, ..gap(Certainty::Probable, 40, 120) };
    assert_eq!((next(&mut early), next(&mut early)), (live(), Some(ListenerEvent::Gap(whole.clone()))));
    assert_eq!(next(&mut early), None);
    // A minute after it, and then no more.
    desk.now = 60_000;
    let mut late = desk.join(&["/a"]);
    assert_eq!((next(&mut late), next(&mut late), next(&mut late)), (live(), Some(ListenerEvent::Gap(whole)), None));
    desk.now = 60_001;
    let mut later = desk.join(&["/a"]);
    assert_eq!((next(&mut later), next(&mut later)), (live(), None));
    // Those that are live have what comes.
    desk.gap(&gap(Certainty::Certain, 200, 210));
    for listener in [&mut early, &mut late, &mut later] {
        assert_eq!(next(listener), Some(ListenerEvent::Gap(gap(Certainty::Certain, 200, 210))));
        assert_eq!(next(listener), None);
    }
}
