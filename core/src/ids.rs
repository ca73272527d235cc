//! Ids that a Session gives out. They grow, and none is used twice.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name(pub(crate) u64);

        impl $name {
            /// The number of the id.
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
            /// For ports and replays that keep the number elsewhere.
            fn from(n: u64) -> Self {
                Self(n)
            }
        }
    };
}

id!(
    /// The id of a connection, from the order to open it on ([CON-4](crate::protocol#con-4)). Input for any other than
    /// the live connection is only counted.
    ConnId
);
id!(
    /// The id of a question to the credential source, [`Action::Authorize`](crate::Action::Authorize).
    AuthId
);
id!(
    /// The id of an HTTPS call, [`Action::Http`](crate::Action::Http).
    HttpId
);
id!(
    /// The id of an accepted REST request; [`Event::Response`](crate::Event::Response) repeats it.
    RequestId
);
id!(
    /// The id of a call of `subscribe`. The server's id of the subscription is in
    /// [`SubscriptionInfo::server_id`](crate::SubscriptionInfo::server_id).
    SubscriptionId
);
