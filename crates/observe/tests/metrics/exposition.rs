//! A strict reader of Prometheus' text format: what it does not refuse, `promtool check metrics` does not either.

use std::collections::{BTreeMap, BTreeSet};

/// What was exposed, by `name{label="value",…}` with the labels in order.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    pub(crate) samples: BTreeMap<String, f64>,
    kinds: BTreeMap<String, String>,
}

impl Exposition {
    /// Reads a whole answer.
    #[track_caller]
    pub(crate) fn read(text: &str) -> Self {
        match Self::parse(text) {
            Ok(exposition) => exposition,
            Err(error) => panic!("{error}\nin\n{text}"),
        }
    }

    /// The sample of this name whose labels are these, in any order, and no others.
    #[track_caller]
    pub(crate) fn get(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels)
            .unwrap_or_else(|| panic!("no {name} with {labels:?} in {:#?}", self.samples))
    }

    pub(crate) fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        self.samples
            .get(&identity(name, &labels.collect()))
            .copied()
    }

    /// The samples of this name, added up.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let own = |key: &&String| **key == name || key.starts_with(&format!("{name}{{"));
        self.samples
            .keys()
            .filter(own)
            .map(|key| self.samples[key])
            .sum()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut read = Self::default();
        let mut helped = BTreeSet::new();
        let mut ended = BTreeSet::new();
        let mut family = String::new();
        if !text.ends_with('\n') {
            return Err("the last line has no end".into());
        }
        for line in text.lines() {
            if line.is_empty() {
                continue;
            }
            let of = if let Some(comment) = line.strip_prefix("# ") {
                let (kind, rest) = comment.split_once(' ').ok_or(line)?;
                let (name, rest) = rest.split_once(' ').ok_or(line)?;
                check_name(name, true)?;
                match kind {
                    "HELP" if helped.insert(name.to_owned()) => {}
                    "TYPE" if !["counter", "gauge", "histogram", "summary"].contains(&rest) => {
                        return Err(format!("unknown type: {line}"));
                    }
                    "TYPE" if !read.kinds.contains_key(name) => {
                        read.kinds.insert(name.into(), rest.into());
                    }
                    _ => return Err(format!("said twice: {line}")),
                }
                name.to_owned()
            } else {
                let (name, labels, value) = sample(line)?;
                let of = read.family(&name, &labels)?;
                if value.is_nan() || (value < 0.0 && read.kinds[&of] != "gauge") {
                    return Err(format!("no value: {line}"));
                }
                if read
                    .samples
                    .insert(identity(&name, &labels), value)
                    .is_some()
                {
                    return Err(format!("a sample twice: {line}"));
                }
                of
            };
            if of != family {
                if !ended.insert(of.clone()) {
                    return Err(format!("{of} is in two places"));
                }
                family = of;
            }
        }
        read.check_histograms()?;
        Ok(read)
    }

    /// The family that a sample belongs to, which must have been announced.
    fn family(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<String, String> {
        let suffixed = [("_bucket", "histogram"), ("_sum", ""), ("_count", "")]
            .iter()
            .find_map(|(suffix, only)| {
                let family = name.strip_suffix(suffix)?;
                let kind = self.kinds.get(family)?;
                let fits = if only.is_empty() {
                    kind == "histogram" || kind == "summary"
                } else {
                    kind == only
                };
                fits.then(|| family.to_owned())
            });
        let family = suffixed.unwrap_or_else(|| name.to_owned());
        let Some(kind) = self.kinds.get(&family) else {
            return Err(format!("{name} has no type"));
        };
        let reserved = match kind.as_str() {
            "histogram" if name.ends_with("_bucket") => "quantile",
            "summary" if family == name => "le",
            _ if labels.contains_key("le") || labels.contains_key("quantile") => {
                return Err(format!("{name} has labels of others"));
            }
            _ => "",
        };
        if labels.contains_key(reserved) {
            return Err(format!("{name} has labels of others"));
        }
        Ok(family)
    }

    /// Buckets grow, and the last has all.
    fn check_histograms(&self) -> Result<(), String> {
        let mut buckets: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for (key, value) in &self.samples {
            let Some((name, labels)) = key.split_once("_bucket{") else {
                continue;
            };
            let (_, labels, _) = sample(&format!("x{{{labels} 0"))?;
            let bound = labels.get("le").ok_or("a bucket without a bound")?;
            let bound: f64 = bound
                .replace("+Inf", "inf")
                .parse()
                .map_err(|_| "no bound")?;
            let mut others = labels.clone();
            others.remove("le");
            let series = identity(&format!("{name}_count"), &others);
            buckets.entry(series).or_default().push((bound, *value));
        }
        for (series, mut buckets) in buckets {
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            let grows = buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1);
            let last = buckets.last().copied().unwrap_or_default();
            let count = self.samples.get(&series).copied();
            if !grows || last.0 != f64::INFINITY || Some(last.1) != count {
                return Err(format!("{series}: {buckets:?}, {count:?}"));
            }
        }
        Ok(())
    }
}

fn identity(name: &str, labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return name.to_owned();
    }
    let labels: Vec<_> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value:?}"))
        .collect();
    format!("{name}{{{}}}", labels.join(","))
}

fn check_name(name: &str, colons: bool) -> Result<(), String> {
    let is_good = |(index, c): (usize, char)| {
        c.is_ascii_alphabetic()
            || c == '_'
            || (c == ':' && colons)
            || (index > 0 && c.is_ascii_digit())
    };
    if name.is_empty() || !name.chars().enumerate().all(is_good) {
        return Err(format!("{name:?} is no name"));
    }
    Ok(())
}

type Sample = (String, BTreeMap<String, String>, f64);

fn sample(line: &str) -> Result<Sample, String> {
    let bad = || format!("no sample: {line}");
    let end = line.find(['{', ' ']).ok_or_else(bad)?;
    let (name, mut rest) = line.split_at(end);
    check_name(name, true)?;
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (key, behind) = rest.split_once("=\"").ok_or_else(bad)?;
            check_name(key, false)?;
            let mut value = String::new();
            let mut characters = behind.char_indices();
            let end = loop {
                match characters.next().ok_or_else(bad)? {
                    (at, '"') => break at,
                    (_, '\\') => match characters.next().ok_or_else(bad)? {
                        (_, 'n') => value.push('\n'),
                        (_, c @ ('\\' | '"')) => value.push(c),
                        _ => return Err(bad()),
                    },
                    (_, c) => value.push(c),
                }
            };
            if labels.insert(key.to_owned(), value).is_some() {
                return Err(bad());
            }
            rest = &behind[end + 1..];
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').ok_or_else(bad)?;
    let value = value.replace("+Inf", "inf").parse().map_err(|_| bad())?;
    Ok((name.to_owned(), labels, value))
}

#[test]
fn the_reader_refuses_what_prometheus_refuses() {
    let good = "# HELP a b\n# TYPE a counter\na{x=\"\\\"\\\\\\n\"} 1\n\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n";
    assert!(Exposition::parse(good).is_ok());
    for bad in [
        "a 1\n",
        "# TYPE a counter\na 1",
        "# TYPE a counter\na -1\n",
        "# TYPE a counter\na 1\na 2\n",
        "# TYPE a counter\na{1x=\"\"} 1\n",
        "# TYPE a counter\na{x=\"\\t\"} 1\n",
        "# TYPE a counter\n# TYPE a counter\n",
        "# TYPE a counter\n# TYPE b counter\na 1\nb 1\na{x=\"\"} 1\n",
        "# TYPE 4a counter\n4a 1\n",
        "# TYPE h histogram\nh_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n",
        "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum 3\nh_count 2\n",
    ] {
        assert!(Exposition::parse(bad).is_err(), "{bad}");
    }
}
