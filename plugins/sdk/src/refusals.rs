//! The error that most capabilities have: not granted, or not valid.

/// Defines an error type with the cases `Refused` and `Invalid`, and makes it a permanent failure.
macro_rules! refusals {
    ($(#[$about:meta])* $error:ident, $refused:literal, $not_valid:literal; $(#[$invalid_about:meta])* Invalid) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $error {
            /// Not granted.
            Refused(String),
            $(#[$invalid_about])*
            Invalid(String),
        }

        impl core::fmt::Display for $error {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self {
                    Self::Refused(reason) => write!(f, concat!($refused, ": {}"), reason),
                    Self::Invalid(reason) => write!(f, concat!($not_valid, ": {}"), reason),
                }
            }
        }

        impl core::error::Error for $error {}

        impl From<$error> for crate::Failure {
            fn from(error: $error) -> Self {
                Self::permanent(error.to_string())
            }
        }
    };
}

pub(crate) use refusals;
