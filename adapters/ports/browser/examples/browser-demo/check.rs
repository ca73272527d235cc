//! The demo page under load, faults and reloads. What the page has in its record is compared with what was sent.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringcentral_ws_core::RetryPolicy;
use ringcentral_ws_gateway::Server;
use serde_json::{Value, json};

use crate::Result;
use crate::chromium::{Chromium, Tab};

const SENDER: &str = "+16505550100";
/// A message that a careless parser takes for the multipart form.
const MULTIPART: &str = "a, ,--Boundary b]";
/// The recovery window where one is to pass.
const WINDOW: Duration = Duration::from_secs(2);

struct Check<'a> {
    browser: Chromium,
    gateway: &'a Arc<Server>,
    url: &'a str,
    tab: Tab,
    /// All that was sent, in order.
    sent: Vec<String>,
    began: Instant,
}

pub(crate) fn run(chromium: &Path, gateway: &Arc<Server>, url: &str) -> Result<()> {
    let began = Instant::now();
    let mut browser = Chromium::start(chromium, &["--window-size=1000,900"], &["Page", "Runtime", "Network"])?;
    let tab = browser.open(url)?;
    let mut check = Check { browser, gateway, url, tab, sent: Vec::new(), began };
    let outcome = check.all();
    if let Err(error) = &outcome {
        let received: Vec<_> = record(&mut check.browser, &check.tab).iter().flatten().map(short).collect();
        return Err(format!("{error}\nreceived: {received:?}\nexceptions: {:?}", check.browser.complaints).into());
    }
    match check.browser.complaints.as_slice() {
        [] => Ok(()),
        some => Err(format!("scripts failed: {some:?}").into()),
    }
}

impl Check<'_> {
    fn all(&mut self) -> Result<()> {
        self.subscribes_and_receives()?;
        self.answers_over_the_socket()?;
        self.recovers_from_a_cut()?;
        self.recovers_over_a_reload()?;
        self.comes_back_online()?;
        self.thaws()?;
        self.hands_over_to_another_tab()?;
        self.reports_an_outage_beyond_the_window()?;
        self.reports_a_lost_session()?;
        self.closes()
    }

    fn subscribes_and_receives(&mut self) -> Result<()> {
        self.until_received("subscribed")?;
        for text in ["one", MULTIPART, "three"] {
            self.send(text);
        }
        let received = self.nothing_is_lost()?;
        expect(&received, &["connected fresh", "subscribed", "notification", "notification", "notification"])?;
        self.done("subscribed; notifications arrive, `,--Boundary` in a text is a text");
        Ok(())
    }

    fn answers_over_the_socket(&mut self) -> Result<()> {
        let request = "client.request('/restapi/v1.0/account/~').then(({ status, via }) => [status, via])";
        let answer = self.browser.eval(&self.tab, request)?;
        expect(&[answer], &[json!([200, "websocket"])])?;
        // Anything under /restapi/oauth/ goes by fetch, whatever is set.
        let request = "client.request('/restapi/oauth/wstoken', { method: 'POST' })";
        let answer = self.browser.eval(&self.tab, &format!("{request}.then(({{ status, via }}) => [status, via])"))?;
        expect(&[answer], &[json!([200, "https"])])?;
        let refused =
            self.browser.eval(&self.tab, "client.request('no path').catch((error) => error.constructor.name)")?;
        expect(&[refused], &[json!("CommandError")])?;
        self.done("REST calls are answered over the socket and by fetch, and refused if they cannot be made");
        Ok(())
    }

    fn recovers_from_a_cut(&mut self) -> Result<()> {
        self.gateway.drop_connections();
        self.send("during the cut");
        let received = self.nothing_is_lost()?;
        expect_end(&received, &["disconnected socket_lost", "connected recovered", "recovered", "notification"])?;
        self.done("a cut connection recovers");
        Ok(())
    }

    fn recovers_over_a_reload(&mut self) -> Result<()> {
        for n in 0..20 {
            self.send(&format!("burst {n}"));
        }
        self.nothing_is_lost()?;
        self.leave()?;
        for n in 0..5 {
            self.send(&format!("without a page {n}"));
        }
        self.load()?;
        let received = self.nothing_is_lost()?;
        // A page cannot know what was on its way when it ended, so there is a gap, although nothing was lost.
        let expected = ["connected recovered", "recovered", "gap restored"].into_iter().chain(["notification"; 5]);
        expect(&received, &expected.collect::<Vec<_>>())?;
        self.browser.command(&self.tab, "Page.reload", json!({}))?;
        self.until_pages(3)?;
        self.until_received("recovered")?;
        self.send("after another reload");
        self.nothing_is_lost()?;
        self.done("a reload recovers: nothing is lost, nothing comes twice");
        Ok(())
    }

    fn comes_back_online(&mut self) -> Result<()> {
        self.offline(true)?;
        self.gateway.drop_connections();
        self.send("while offline");
        self.until_received("disconnected socket_lost")?;
        // By then it has tried.
        std::thread::sleep(RetryPolicy::default().socket_lost);
        self.offline(false)?;
        let received = self.nothing_is_lost()?;
        expect_end(&received, &["disconnected socket_lost", "connected recovered", "recovered", "notification"])?;
        self.done("a browser that was offline recovers when it is online again");
        Ok(())
    }

    fn thaws(&mut self) -> Result<()> {
        // A new page has a new budget of calls for a WebSocket token.
        self.leave()?;
        self.load()?;
        self.until_pages(4)?;
        self.until_received("gap restored")?;
        self.browser.command(&self.tab, "Page.setWebLifecycleState", json!({ "state": "frozen" }))?;
        self.gateway.receive_sms(0, SENDER, "while frozen");
        self.gateway.drop_connections();
        self.send("while frozen and cut off");
        self.browser.command(&self.tab, "Page.setWebLifecycleState", json!({ "state": "active" }))?;
        self.until("the last message", |rows| subjects(rows).last() == Some(&"while frozen and cut off"))?;
        // Chromium may have discarded the first one, and does not say so. It is reported as a gap in any case.
        let rows = record(&mut self.browser, &self.tab)?;
        let mut arrived = subjects(&rows);
        arrived.retain(|subject| *subject != "while frozen");
        expect(&arrived, &self.sent)?;
        let received = since_load(&rows);
        let gap = received.iter().position(|event| event == "gap unreadable_frame");
        let recovered = received.iter().rposition(|event| event == "recovered");
        expect(&[gap.is_some() && gap < recovered], &[true])?;
        self.sent = subjects(&rows).into_iter().map(str::to_owned).collect();
        self.done("what a page may have missed while it was frozen is a gap");
        Ok(())
    }

    fn hands_over_to_another_tab(&mut self) -> Result<()> {
        let second = self.browser.open(self.url)?;
        let first = std::mem::replace(&mut self.tab, second);
        self.until_received("queued")?;
        expect(&[self.gateway.with_gateway(|g, _| g.connections().count())], &[1])?;
        self.browser.close(&first)?;
        self.until_received("recovered")?;
        // The record is that of the tab.
        self.sent.clear();
        self.send("to the second tab");
        let received = self.nothing_is_lost()?;
        expect(&received, &["queued", "connected recovered", "recovered", "gap restored", "notification"])?;
        self.done("a second tab waits, and continues the session when the first is gone");
        Ok(())
    }

    fn reports_an_outage_beyond_the_window(&mut self) -> Result<()> {
        // The next connection gets the shorter window.
        self.gateway.with_gateway(|g, _| g.config_mut().recovery_timeout = WINDOW);
        self.leave()?;
        self.load()?;
        self.until_pages(2)?;
        self.until_received("gap restored")?;
        self.leave()?;
        self.gateway.receive_sms(0, SENDER, "never to be seen");
        std::thread::sleep(WINDOW + Duration::from_millis(100));
        self.load()?;
        self.until("the gap", |rows| since_load(rows).iter().any(|event| event.starts_with("gap recovery_failed")))?;
        self.send("after the outage");
        let received = self.nothing_is_lost()?;
        expect(&received, &["connected lost", "recovery_failed", "gap recovery_failed", "notification"])?;
        self.done("an outage beyond the recovery window is a gap before the next notification");
        Ok(())
    }

    fn reports_a_lost_session(&mut self) -> Result<()> {
        self.gateway.restart();
        // The first one is that of the outage before.
        let gaps = |rows: &[Value]| since_load(rows).iter().filter(|e| e.starts_with("gap recovery_failed")).count();
        self.until("the second gap", |rows| gaps(rows) == 2)?;
        self.send("after the restart");
        let received = self.nothing_is_lost()?;
        expect_end(&received, &["connected lost", "recovery_failed", "gap recovery_failed", "notification"])?;
        self.done("a session that the server forgot is a gap, too");
        Ok(())
    }

    fn closes(&mut self) -> Result<()> {
        // Those of lost sessions stay on record.
        let subscriptions = self.gateway.with_gateway(|g, _| g.subscriptions().count());
        self.browser.eval(&self.tab, "client.close()")?;
        let received = self.until_received("closed")?;
        expect_end(&received, &["disconnected closed", "closed"])?;
        let left = self.browser.eval(&self.tab, "localStorage.length")?;
        let after = self.gateway.with_gateway(|g, _| g.subscriptions().count());
        expect(&[left, json!(after + 1)], &[json!(0), json!(subscriptions)])?;
        self.done("closing deletes the subscription and what was stored");
        Ok(())
    }

    fn done(&self, what: &str) {
        println!("{:5.1} s  {what}", self.began.elapsed().as_secs_f32());
    }

    fn send(&mut self, text: &str) {
        self.gateway.receive_sms(0, SENDER, text);
        self.sent.push(text.to_owned());
    }

    /// The page's record, when it is as wanted.
    fn until(&mut self, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Result<Vec<Value>> {
        let tab = self.tab.clone();
        self.browser.until(what, |browser| {
            let rows = record(browser, &tab)?;
            Ok(wanted(&rows).then_some(rows))
        })
    }

    fn until_received(&mut self, event: &str) -> Result<Vec<String>> {
        let rows = self.until(event, |rows| since_load(rows).iter().any(|seen| seen == event))?;
        Ok(since_load(&rows))
    }

    /// The page has been loaded so many times in this tab.
    fn until_pages(&mut self, count: usize) -> Result<()> {
        let pages = |rows: &[Value]| rows.iter().filter(|row| row["event"] == "page").count();
        self.until(&format!("load {count} of the page"), |rows| pages(rows) == count).map(drop)
    }

    /// All that was sent has arrived, once and in order. Returns what the page received since it was loaded.
    fn nothing_is_lost(&mut self) -> Result<Vec<String>> {
        let count = self.sent.len();
        let rows = self.until(&format!("{count} notifications"), |rows| subjects(rows).len() >= count)?;
        expect(&subjects(&rows), &self.sent)?;
        Ok(since_load(&rows))
    }

    /// Goes away from the page, as a reload does, for as long as the test likes.
    fn leave(&mut self) -> Result<()> {
        self.browser.command(&self.tab, "Page.navigate", json!({ "url": "about:blank" }))?;
        let gateway = Arc::clone(self.gateway);
        self.browser.until("the end of the socket", |_| {
            Ok(gateway.with_gateway(|g, _| g.connections().next().is_none()).then_some(()))
        })
    }

    fn load(&mut self) -> Result<()> {
        let params = json!({ "url": self.url });
        self.browser.command(&self.tab, "Page.navigate", params).map(drop)
    }

    fn offline(&mut self, offline: bool) -> Result<()> {
        let params = json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.browser.command(&self.tab, "Network.emulateNetworkConditions", params).map(drop)
    }
}

/// It outlives reloads, but not the tab.
fn record(browser: &mut Chromium, tab: &Tab) -> Result<Vec<Value>> {
    let text = browser.eval(tab, "sessionStorage.getItem('record')")?;
    Ok(serde_json::from_str(text.as_str().unwrap_or("[]"))?)
}

fn subjects(rows: &[Value]) -> Vec<&str> {
    rows.iter().filter_map(|row| row["body"]["subject"].as_str()).collect()
}

/// The events since the page was loaded last, in short. A restored session asks whether its subscription still stands;
/// that answer comes at any time and is left out.
fn since_load(rows: &[Value]) -> Vec<String> {
    let start = rows.iter().rposition(|row| row["event"] == "page").map_or(0, |at| at + 1);
    let rows = &rows[start..];
    let fresh = rows.iter().any(|row| row["resumption"] == "fresh");
    let mut received: Vec<String> = rows.iter().map(short).collect();
    received.retain(|event| fresh || event != "subscribed");
    received
}

fn short(row: &Value) -> String {
    let event = row["event"].as_str().unwrap_or_default();
    let detail = ["resumption", "cause"].iter().find_map(|key| row[key].as_str());
    detail.map_or_else(|| event.to_owned(), |detail| format!("{event} {detail}"))
}

fn expect_end<A, B>(found: &[A], wanted: &[B]) -> Result<()>
where
    A: PartialEq<B> + Debug,
    B: Debug,
{
    expect(&found[found.len().saturating_sub(wanted.len())..], wanted)
}

fn expect<A, B>(found: &[A], wanted: &[B]) -> Result<()>
where
    A: PartialEq<B> + Debug,
    B: Debug,
{
    if found.len() == wanted.len() && found.iter().zip(wanted).all(|(a, b)| a == b) {
        Ok(())
    } else {
        Err(format!("found {found:?}, not {wanted:?}").into())
    }
}
