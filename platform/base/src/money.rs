//! Money: whole minor units of an ISO 4217 currency. No floating point, no silent overflow.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

/// An ISO 4217 currency, by its three-letter code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ToSchema)]
#[schema(value_type = String, example = "KRW")]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The South Korean won, which has no minor unit.
    pub const KRW: Self = Self(iso_currency::Currency::KRW);

    /// The three-letter code.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Digits after the decimal point: 0 for the won, 2 for the euro.
    #[must_use]
    pub fn minor_digits(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        iso_currency::Currency::from_code(code)
            .map(Self)
            .ok_or_else(|| MoneyError::UnknownCurrency(code.chars().take(16).collect()))
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        code.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a sum could not be formed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// The code is not in ISO 4217.
    #[error("{0:?} is not an ISO 4217 currency code")]
    UnknownCurrency(String),
    /// Two amounts of different currencies cannot be added.
    #[error("cannot add {1} to {0}")]
    CurrencyMismatch(Currency, Currency),
    /// The sum does not fit into 64 bits.
    #[error("the amount is too large")]
    Overflow,
}

/// An amount of one currency, in minor units. May be negative: a ledger entry that takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units: 5000 is 5,000 won or 50.00 euros.
    pub amount: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// `amount` won.
    #[must_use]
    pub const fn krw(amount: i64) -> Self {
        Self {
            amount,
            currency: Currency::KRW,
        }
    }

    /// The sum of two amounts of one currency.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] and [`MoneyError::Overflow`].
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch(self.currency, other.currency));
        }
        let amount = self
            .amount
            .checked_add(other.amount)
            .ok_or(MoneyError::Overflow)?;
        Ok(Self { amount, ..self })
    }

    /// The same amount with the other sign.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] for the one amount that has no opposite.
    pub fn checked_neg(self) -> Result<Self, MoneyError> {
        let amount = self.amount.checked_neg().ok_or(MoneyError::Overflow)?;
        Ok(Self { amount, ..self })
    }
}

impl fmt::Display for Money {
    /// `5,000 KRW`, `-12.50 EUR`: plain text for logs and message fallbacks; pages format by locale.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.currency.minor_digits();
        let unit = 10_u64.pow(digits);
        let absolute = self.amount.unsigned_abs();
        let sign = if self.amount < 0 { "-" } else { "" };
        write!(formatter, "{sign}{}", grouped(absolute / unit))?;
        if digits > 0 {
            write!(formatter, ".{:0width$}", absolute % unit, width = digits as usize)?;
        }
        write!(formatter, " {}", self.currency)
    }
}

/// Digits in groups of three: `1234567` becomes `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_groups_thousands_and_knows_minor_units() {
        assert_eq!(Money::krw(1_234_567).to_string(), "1,234,567 KRW");
        assert_eq!(Money::krw(-500).to_string(), "-500 KRW");
        let euro = Money {
            amount: -1_250,
            currency: "EUR".parse().unwrap(),
        };
        assert_eq!(euro.to_string(), "-12.50 EUR");
        assert_eq!(Money::krw(i64::MIN).to_string(), "-9,223,372,036,854,775,808 KRW");
    }

    #[test]
    fn json_refuses_unknown_currencies_and_fractions() {
        assert_eq!(
            serde_json::from_str::<Money>(r#"{"amount":5000,"currency":"KRW"}"#).unwrap(),
            Money::krw(5_000)
        );
        for bad in [
            r#"{"amount":5000,"currency":"WON"}"#,
            r#"{"amount":0.5,"currency":"KRW"}"#,
            r#"{"amount":9223372036854775808,"currency":"KRW"}"#,
            r#"{"amount":1,"currency":"KRW","extra":1}"#,
        ] {
            assert!(serde_json::from_str::<Money>(bad).is_err(), "{bad} was taken");
        }
    }

    proptest! {
        #[test]
        fn addition_is_exact_or_refused(left: i64, right: i64) {
            match Money::krw(left).checked_add(Money::krw(right)) {
                Ok(sum) => prop_assert_eq!(i128::from(sum.amount), i128::from(left) + i128::from(right)),
                Err(error) => {
                    prop_assert_eq!(error, MoneyError::Overflow);
                    let exact = i128::from(left) + i128::from(right);
                    prop_assert!(exact > i128::from(i64::MAX) || exact < i128::from(i64::MIN));
                }
            }
        }

        #[test]
        fn currencies_do_not_mix(left: i64, right: i64) {
            let dollars = Money { amount: right, currency: "USD".parse().unwrap() };
            prop_assert!(matches!(Money::krw(left).checked_add(dollars), Err(MoneyError::CurrencyMismatch(..))));
        }
    }
}
