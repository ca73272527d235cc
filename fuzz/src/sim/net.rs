//! The network: messages under way, in order of arrival.

use ringcentral_ws_core::{AuthId, ConnId, HttpFailure, HttpId, OpenFailure};
use ringcentral_ws_gateway::{HttpRequest, HttpResponse};

use crate::arrivals::Arrivals;

/// One end of a wire sends this to the other, or a process sets itself an alarm.
#[derive(Debug)]
pub(crate) enum Packet {
    ToServer {
        link: usize,
        text: String,
    },
    /// `uuid` is 0 for anything but a notification.
    ToClient {
        link: usize,
        text: String,
        uuid: u64,
    },
    Ping {
        link: usize,
    },
    Pong {
        link: usize,
    },
    /// A close frame, or the answer to one.
    CloseToClient {
        link: usize,
        code: u16,
    },
    CloseToServer {
        link: usize,
    },
    ResetToClient {
        link: usize,
    },
    ResetToServer {
        link: usize,
    },
    OpenArrives {
        link: usize,
        target: String,
        answer_lost: bool,
    },
    Opened {
        link: usize,
    },
    OpenFailed {
        link: usize,
        failure: Box<OpenFailure>,
    },
    HttpArrives {
        to: Call,
        request: Box<HttpRequest>,
        answer_lost: bool,
    },
    HttpDone {
        to: Call,
        result: Box<Result<HttpResponse, HttpFailure>>,
    },
    AuthDone {
        client: usize,
        life: u32,
        id: AuthId,
        fails: bool,
    },
    Alarm {
        client: usize,
        life: u32,
        alarm: Alarm,
    },
    Online,
}

/// Who waits for an HTTP answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) client: usize,
    pub(crate) life: u32,
    pub(crate) id: HttpId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    Drain,
    Resume {
        noticed: bool,
    },
    Read,
    Start,
    Recover,
    Subscribe,
    SendReady,
    /// The process is killed.
    Crash,
    /// Another client takes the session.
    Take,
    /// Something happens on the server.
    Notify,
    /// The connection is reset.
    Cut,
}

/// A connection between a client and the gateway.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: usize,
    pub(crate) conn: ConnId,
    pub(crate) to_server_last: u64,
    pub(crate) to_client_last: u64,
    /// The client still holds its end.
    pub(crate) client_open: bool,
    /// The gateway knows of it and does not know its end.
    pub(crate) server_knows: bool,
    /// The gateway has ended it; the client may learn of this much later.
    pub(crate) server_ended: bool,
    /// Nothing that is sent arrives.
    pub(crate) dead: bool,
    /// Notifications that were sent on it and will never arrive.
    pub(crate) undelivered: Vec<u64>,
    /// Any frame to the client was lost.
    pub(crate) frames_lost: bool,
    /// ConnectionDetails were handed to the session.
    pub(crate) ready: bool,
    /// When that was.
    pub(crate) ready_at: u64,
    /// A heartbeat was answered on it.
    pub(crate) echoed: bool,
    /// It breaks right after ConnectionDetails.
    pub(crate) poisoned: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Net {
    packets: Arrivals<Packet>,
    pub(crate) links: Vec<Link>,
}

impl Net {
    pub(crate) fn next(&self) -> u64 {
        self.packets.next()
    }

    pub(crate) fn pop(&mut self) -> Option<Packet> {
        self.packets.pop()
    }

    pub(crate) fn push(&mut self, at: u64, packet: Packet) {
        self.packets.push(at, packet);
    }

    /// Sends to the client, behind everything sent before.
    #[inline(always)]
    pub(crate) fn send_to_client(&mut self, link: usize, at: u64, packet: Packet) {
        let l = &mut self.links[link];
        l.to_client_last = l.to_client_last.max(at);
        let at = l.to_client_last;
        self.push(at, packet);
    }

    /// Sends to the server, behind everything sent before.
    #[inline(always)]
    pub(crate) fn send_to_server(&mut self, link: usize, at: u64, packet: Packet) {
        let l = &mut self.links[link];
        l.to_server_last = l.to_server_last.max(at);
        let at = l.to_server_last;
        self.push(at, packet);
    }

    pub(crate) fn connect(&mut self, client: usize, conn: ConnId) -> usize {
        self.links.push(Link {
            client,
            conn,
            to_server_last: 0,
            to_client_last: 0,
            client_open: true,
            server_knows: false,
            server_ended: false,
            dead: false,
            undelivered: Vec::new(),
            frames_lost: false,
            ready: false,
            ready_at: 0,
            echoed: false,
            poisoned: false,
        });
        self.links.len() - 1
    }
}

impl Net {
    /// Adds the notifications that are under way to the client on this link. Whether any frame is.
    pub(crate) fn under_way(&self, of: usize, uuids: &mut Vec<u64>) -> bool {
        let mut any = false;
        for packet in self.packets.iter() {
            if let Packet::ToClient { link, uuid, .. } = packet
                && *link == of
            {
                any = true;
                if *uuid != 0 {
                    uuids.push(*uuid);
                }
            }
        }
        any
    }

    /// Whether a frame was lost on the last connection of this client that got as far as ConnectionDetails, before
    /// this one.
    pub(crate) fn lost_before(&self, link: usize) -> bool {
        let client = self.links[link].client;
        let earlier = self.links[..link].iter().rev();
        earlier.filter(|l| l.client == client).find(|l| l.ready || l.frames_lost).is_some_and(|l| l.frames_lost)
    }
}
