//! Rules of claims: inequalities between rows.
//!
//! A claim such as `stack-10-on > single-on`, `a > b + 6` or `abs(a - b) < 2`
//! is a comparison of two linear expressions over the accuracies of rows, in
//! percent. Its *margin* is how far the inequality is satisfied.
//!
//! A row id may contain `-`, so a minus sign needs spaces around it.

use std::collections::{BTreeMap, BTreeSet};

/// Longest rule, in bytes; this also bounds the depth of a chain of sums.
const LONGEST: usize = 4096;

/// Deepest nesting of parentheses.
const DEEPEST: usize = 64;

/// A comparison between two expressions over rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    greater: Expr,
    smaller: Expr,
}

#[derive(Debug, Clone, PartialEq)]
enum Expr {
    Number(f64),
    Row(String),
    Add(Box<Expr>, Box<Expr>),
    Sub(Box<Expr>, Box<Expr>),
    Abs(Box<Expr>),
}

impl Expr {
    fn value(&self, rows: &dyn Fn(&str) -> f64) -> f64 {
        match self {
            Self::Number(x) => *x,
            Self::Row(id) => rows(id),
            Self::Add(a, b) => a.value(rows) + b.value(rows),
            Self::Sub(a, b) => a.value(rows) - b.value(rows),
            Self::Abs(a) => a.value(rows).abs(),
        }
    }

    /// Adds the derivative of the value by each row's accuracy, times `factor`.
    fn slopes<'a>(&'a self, rows: &dyn Fn(&str) -> f64, factor: f64, slopes: &mut BTreeMap<&'a str, f64>) {
        match self {
            Self::Number(_) => {}
            Self::Row(id) => *slopes.entry(id).or_default() += factor,
            Self::Add(a, b) => {
                a.slopes(rows, factor, slopes);
                b.slopes(rows, factor, slopes);
            }
            Self::Sub(a, b) => {
                a.slopes(rows, factor, slopes);
                b.slopes(rows, -factor, slopes);
            }
            Self::Abs(a) => a.slopes(rows, if a.value(rows) < 0.0 { -factor } else { factor }, slopes),
        }
    }

    fn collect<'a>(&'a self, rows: &mut BTreeSet<&'a str>) {
        match self {
            Self::Number(_) => {}
            Self::Row(id) => {
                rows.insert(id);
            }
            Self::Add(a, b) | Self::Sub(a, b) => {
                a.collect(rows);
                b.collect(rows);
            }
            Self::Abs(a) => a.collect(rows),
        }
    }
}

impl Comparison {
    /// Parses a claim's rule.
    ///
    /// # Errors
    /// A message with the expected and the found token.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("the rule has {} bytes; expected at most {LONGEST}", text.len()));
        }
        let mut parser = Parser { tokens: tokenize(text)?, next: 0, depth: 0, text };
        let left = parser.sum()?;
        let operator = match parser.take() {
            Some(token) if token == ">" || token == "<" => token,
            other => {
                return Err(format!(
                    "`{text}`: expected `>` or `<`, found {}",
                    other.map_or("the end".into(), |t| format!("`{t}`"))
                ));
            }
        };
        let right = parser.sum()?;
        if let Some(extra) = parser.take() {
            return Err(format!("`{text}`: `{extra}` after the end of the comparison"));
        }
        Ok(if operator == ">" {
            Self { greater: left, smaller: right }
        } else {
            Self { greater: right, smaller: left }
        })
    }

    /// Returns the rows in the claim, in name order.
    pub fn rows(&self) -> Vec<&str> {
        let mut rows = BTreeSet::new();
        self.greater.collect(&mut rows);
        self.smaller.collect(&mut rows);
        rows.into_iter().collect()
    }

    /// Returns the distance to equality in percentage points: positive if the
    /// inequality holds, negative if it is violated.
    pub fn margin(&self, accuracy: &dyn Fn(&str) -> f64) -> f64 {
        self.greater.value(accuracy) - self.smaller.value(accuracy)
    }

    /// Returns the derivative of the margin by the accuracy of each row, at the given accuracies.
    pub fn slopes(&self, accuracy: &dyn Fn(&str) -> f64) -> BTreeMap<&str, f64> {
        let mut slopes = BTreeMap::new();
        self.greater.slopes(accuracy, 1.0, &mut slopes);
        self.smaller.slopes(accuracy, -1.0, &mut slopes);
        slopes
    }
}

/// Recursive descent over `sum (> | <) sum`, `sum = term ((+ | -) term)*`,
/// `term = number | row | abs(sum) | (sum)`.
struct Parser<'a> {
    tokens: Vec<String>,
    next: usize,
    /// Number of open parentheses.
    depth: usize,
    text: &'a str,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.next).map(String::as_str)
    }

    fn take(&mut self) -> Option<String> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        match self.take() {
            Some(token) if token == wanted => Ok(()),
            other => Err(format!(
                "`{}`: expected `{wanted}`, found {}",
                self.text,
                other.map_or("the end".into(), |t| format!("`{t}`"))
            )),
        }
    }

    /// Parses the rest of a parenthesised sum, after the opening parenthesis.
    fn enclosed(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("more than {DEEPEST} nested parentheses"));
        }
        let inner = self.sum()?;
        self.expect(")")?;
        self.depth -= 1;
        Ok(inner)
    }

    fn sum(&mut self) -> Result<Expr, String> {
        let mut left = self.term()?;
        while let Some(operator @ ("+" | "-")) = self.peek() {
            let minus = operator == "-";
            self.next += 1;
            let right = Box::new(self.term()?);
            left = if minus { Expr::Sub(Box::new(left), right) } else { Expr::Add(Box::new(left), right) };
        }
        Ok(left)
    }

    fn term(&mut self) -> Result<Expr, String> {
        let token = self
            .take()
            .ok_or_else(|| format!("`{}`: expected a row or a number, found the end", self.text))?;
        match token.as_str() {
            "(" => self.enclosed(),
            "abs" => {
                self.expect("(")?;
                Ok(Expr::Abs(Box::new(self.enclosed()?)))
            }
            word if word.starts_with(|c: char| c.is_ascii_digit()) => word
                .parse()
                .map(Expr::Number)
                .map_err(|_| format!("`{}`: `{word}` is not a number", self.text)),
            word if word.starts_with(|c: char| c.is_ascii_lowercase()) => Ok(Expr::Row(token)),
            other => Err(format!("`{}`: expected a row or a number, found `{other}`", self.text)),
        }
    }
}

fn tokenize(text: &str) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '>' | '<' | '+' | '-' | '(' | ')' => 1,
            c if c.is_ascii_lowercase() => rest
                .find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'))
                .unwrap_or(rest.len()),
            c if c.is_ascii_digit() => {
                rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len())
            }
            other => return Err(format!("`{text}`: unexpected character `{other}`")),
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn margin(rule: &str, a: f64, b: f64) -> f64 {
        Comparison::parse(rule).unwrap().margin(&|row| if row == "a-1" { a } else { b })
    }

    #[test]
    fn slopes_are_those_of_the_margin() {
        let rule = Comparison::parse("a - b > abs(b - c) - (a - 3)").unwrap();
        for accuracies in [[70.0, 50.0, 40.0], [70.0, 30.0, 60.0]] {
            let at = |row: &str, step: f64, moved: &str| {
                let value = accuracies[usize::from(row.as_bytes()[0] - b'a')];
                if row == moved { value + step } else { value }
            };
            let slopes = rule.slopes(&|row| at(row, 0.0, ""));
            for row in ["a", "b", "c"] {
                let moved = |step: f64| rule.margin(&|other| at(other, step, row));
                assert!((slopes[row] - (moved(0.5) - moved(-0.5))).abs() < 1e-9, "{row}: {slopes:?}");
            }
        }
    }

    #[test]
    fn a_rule_that_never_ends_is_refused() {
        let nested = |depth: usize| format!("{}a{} > b", "(".repeat(depth), ")".repeat(depth));
        assert!(Comparison::parse(&nested(DEEPEST)).is_ok());
        let message = Comparison::parse(&nested(DEEPEST + 1)).unwrap_err();
        assert!(message.contains("more than 64 nested parentheses"), "{message}");
        assert!(Comparison::parse(&nested(50_000)).is_err());
        let chain = format!("a{} > b", " + 1".repeat(1000));
        assert!(Comparison::parse(&chain).is_ok());
        assert!(Comparison::parse(&format!("a{} > b", " + 1".repeat(50_000))).is_err());
    }

    #[test]
    fn a_rule_reads_as_it_is_written() {
        assert_eq!(margin("a-1 > b", 5.0, 3.0), 2.0);
        assert_eq!(margin("a-1 < b", 5.0, 3.0), -2.0);
        assert_eq!(margin("a-1 > b + 6", 5.0, 3.0), -4.0);
        assert_eq!(margin("abs(b - a-1) < 2.5", 5.0, 3.0), 0.5);
        assert_eq!(margin("a-1 - (b - 1) > a-1 - b - 1", 5.0, 3.0), 2.0);
    }

    #[test]
    fn a_bad_rule_says_what_was_expected() {
        for (rule, expected) in [
            ("a", "expected `>` or `<`, found the end"),
            ("a > ", "expected a row or a number, found the end"),
            ("a > b c", "`c` after the end"),
            ("a = b", "unexpected character `=`"),
            ("abs a > 1", "expected `(`"),
            ("(a > 1", "expected `)`"),
            ("a > 1.2.3", "not a number"),
        ] {
            let message = Comparison::parse(rule).unwrap_err();
            assert!(message.contains(expected), "{rule}: {message}");
        }
    }
}
