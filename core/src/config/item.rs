//! Items of list options that are more than text: the rate of a service, the second name of a method.

use super::network::Network;
use std::fmt;
use std::str::FromStr;

/// One item of a list.
pub(crate) trait ListItem: Sized {
    /// Reads it; the error says what was expected.
    fn parse_item(text: &str) -> Result<Self, String>;
    /// The text that reads as this item.
    fn text(&self) -> String;
}

impl ListItem for String {
    fn parse_item(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn text(&self) -> String {
        self.clone()
    }
}

macro_rules! list_items {
    ($($Item:ty),+) => { $(
        impl ListItem for $Item {
            fn parse_item(text: &str) -> Result<Self, String> {
                text.parse()
            }

            fn text(&self) -> String {
                self.to_string()
            }
        }
    )+ };
}

list_items!(Network, ServiceRate, Alias);

/// How many requests a second one service takes: `Arith=100`.
///
/// ```
/// let rate: rpcx::config::ServiceRate = "Arith=0.5".parse()?;
/// assert_eq!((rate.service.as_str(), rate.per_second), ("Arith", 0.5));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceRate {
    /// The service path.
    pub service: String,
    /// Requests a second, from 0.001 to 10,000,000.
    pub per_second: f64,
}

/// The rates that a token bucket can keep.
pub(crate) const RATES: std::ops::RangeInclusive<f64> = 0.001..=10_000_000.0;

impl FromStr for ServiceRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once('=').and_then(|(service, rate)| Some((service.trim(), rate.trim().parse().ok()?)));
        match parts {
            Some((service, per_second)) if !service.is_empty() && RATES.contains(&per_second) => {
                Ok(ServiceRate { service: service.to_owned(), per_second })
            }
            _ => Err(format!(
                "expected service=requests a second ({} to {}), such as Arith=100, not `{text}`",
                RATES.start(),
                RATES.end()
            )),
        }
    }
}

impl fmt::Display for ServiceRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.service, self.per_second)
    }
}

/// A second name of a method: `Old.Times=Arith.Mul`. The method's name stands behind the last dot.
///
/// ```
/// let alias: rpcx::config::Alias = "com.example.Old.Times=Arith.Mul".parse()?;
/// assert_eq!((alias.service.as_str(), alias.method.as_str()), ("com.example.Old", "Times"));
/// assert_eq!((alias.real_service.as_str(), alias.real_method.as_str()), ("Arith", "Mul"));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The service path that callers ask for.
    pub service: String,
    /// The method that callers ask for.
    pub method: String,
    /// The service path that is called.
    pub real_service: String,
    /// The method that is called.
    pub real_method: String,
}

impl FromStr for Alias {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        fn name(text: &str) -> Option<(String, String)> {
            let (service, method) = text.trim().rsplit_once('.')?;
            (!service.is_empty() && !method.is_empty()).then(|| (service.to_owned(), method.to_owned()))
        }
        let names = text.split_once('=').and_then(|(alias, real)| Some((name(alias)?, name(real)?)));
        let Some(((service, method), (real_service, real_method))) = names else {
            return Err(format!("expected alias=name, such as Old.Times=Arith.Mul, not `{text}`"));
        };
        Ok(Alias { service, method, real_service, real_method })
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}={}.{}", self.service, self.method, self.real_service, self.real_method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_written() {
        for text in ["Arith=100", "a.b.C=0.5", "a=b=7"] {
            assert_eq!(text.parse::<ServiceRate>().map(|rate| rate.to_string()), Ok(text.to_owned()));
        }
        for text in
            ["", "Arith", "Arith=", "=1", "Arith=0", "Arith=-1", "Arith=inf", "Arith=NaN", "Arith=1e9", "Arith=x"]
        {
            assert!(text.parse::<ServiceRate>().is_err(), "{text}");
        }
    }

    #[test]
    fn aliases_are_read_and_written() {
        for text in ["Old.Times=Arith.Mul", "a.b.C.D=e.F"] {
            assert_eq!(text.parse::<Alias>().map(|alias| alias.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "Old.Times", "Old=Arith.Mul", "Old.Times=Arith", ".Times=Arith.Mul", "Old.=Arith.Mul", "="] {
            assert!(text.parse::<Alias>().is_err(), "{text}");
        }
    }
}
