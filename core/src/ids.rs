//! Identities the Session hands out. All grow and none is ever used again.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name(pub(crate) u64);

        impl $name {
            /// The number behind the identity.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl From<u64> for $name {
            /// For ports and replays that carry the number outside.
            fn from(n: u64) -> Self {
                Self(n)
            }
        }
    };
}

id!(
    /// One WebSocket connection attempt (CON-4). Input for any but the live one is only counted.
    ConnId
);
id!(
    /// One `Action::Authorize`.
    AuthId
);
id!(
    /// One `Action::Http`.
    HttpId
);
id!(
    /// One accepted REST request.
    RequestId
);
id!(
    /// One call of `subscribe`. The server's own id comes with [`Event::Subscribed`](crate::Event::Subscribed).
    SubscriptionId
);
