//! Which series a request belongs to: looked up without a lock, and bounded.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;
use portcullis_core::Live;

use super::{Labels, OTHER, OwnLabels};

/// All series of one kind of measures, and the names of routes that applications give.
pub(crate) struct Table<S> {
    hasher: RandomState,
    series: Live<Known<S>>,
    routes: Live<HashMap<Arc<str>, (), RandomState>>,
    growing: Mutex<()>,
    most: usize,
}

/// By a hash of the labels; one whose place is taken is at the next.
type Known<S> = HashMap<u64, Arc<Entry<S>>, RandomState>;

/// A series with what it is for.
pub(crate) struct Entry<S> {
    pub(crate) labels: OwnLabels,
    pub(crate) series: S,
}

/// How many more there may be for the routes of a stage that are too many.
const SPARE: usize = 100;

impl<S> Table<S> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            hasher: RandomState::default(),
            series: Live::new(HashMap::default()),
            routes: Live::new(HashMap::default()),
            growing: Mutex::new(()),
            most,
        }
    }

    /// The series with these labels. Past the most it is that of all other routes of the stage, and past the most of those that of everything else.
    pub(crate) fn series(
        &self,
        labels: &Labels<'_>,
        make: impl FnOnce(&OwnLabels) -> S,
    ) -> Arc<Entry<S>> {
        let hash = self.hash(labels);
        if let Ok(entry) = find(&self.series.load(), hash, labels) {
            return entry;
        }
        let _growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.series.load_full();
        let wider = [
            (*labels, self.most),
            (labels.without_route(), self.most + SPARE),
            (labels.without_stage(), usize::MAX),
        ];
        let [(mut labels, _), ..] = wider;
        let mut place = hash;
        for (wider, most) in wider {
            match find(&known, self.hash(&wider), &wider) {
                Ok(entry) => return entry,
                Err(free) => (labels, place) = (wider, free),
            }
            if known.len() < most {
                break;
            }
        }
        let labels = labels.to_own();
        let series = make(&labels);
        let entry = Arc::new(Entry { labels, series });
        let mut grown = (*known).clone();
        grown.insert(place, Arc::clone(&entry));
        self.series.replace(grown);
        entry
    }

    /// All series that there are.
    pub(crate) fn all(&self) -> Vec<Arc<Entry<S>>> {
        self.series.load().values().map(Arc::clone).collect()
    }

    /// The name of a route that an application gives, kept once.
    pub(crate) fn route(&self, name: &str) -> Arc<str> {
        if let Some((route, ())) = self.routes.load().get_key_value(name) {
            return Arc::clone(route);
        }
        let _growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.routes.load_full();
        let name = if known.len() >= self.most {
            OTHER
        } else {
            name
        };
        if let Some((route, ())) = known.get_key_value(name) {
            return Arc::clone(route);
        }
        let route: Arc<str> = name.into();
        let mut grown = (*known).clone();
        grown.insert(Arc::clone(&route), ());
        self.routes.replace(grown);
        route
    }

    fn hash(&self, labels: &Labels<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        labels.api_id().hash(&mut hasher);
        labels.stage_name().hash(&mut hasher);
        labels.route.hash(&mut hasher);
        labels.method.hash(&mut hasher);
        labels.canary.hash(&mut hasher);
        labels.detailed.hash(&mut hasher);
        hasher.finish()
    }
}

/// The series, or the place where it would be.
fn find<S>(known: &Known<S>, hash: u64, labels: &Labels<'_>) -> Result<Arc<Entry<S>>, u64> {
    let mut place = hash;
    loop {
        match known.get(&place) {
            Some(entry) if entry.labels.is(labels) => return Ok(Arc::clone(entry)),
            Some(_) => place = place.wrapping_add(1),
            None => return Err(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Labels, OTHER, Table};
    use portcullis_core::ApiStage;

    fn labels<'a>(stage: &'a ApiStage, route: &'a str) -> Labels<'a> {
        Labels {
            stage: Some(stage),
            route: Some(route),
            method: "GET",
            canary: None,
            detailed: true,
        }
    }

    #[test]
    fn routes_past_the_most_are_one_and_so_are_stages() {
        let table = Table::new(10);
        let mut stages = vec![ApiStage::default(); 1_000];
        for (index, stage) in stages.iter_mut().enumerate() {
            stage.stage = index.to_string();
        }
        for route in 0..1_000 {
            let route = route.to_string();
            let entry = table.series(&labels(&stages[0], &route), |_| ());
            let shown = entry.labels.route.as_deref();
            let same = table.series(&labels(&stages[0], &route), |_| ());
            assert_eq!(shown, same.labels.route.as_deref());
        }
        assert_eq!(table.all().len(), 11);
        for stage in &stages {
            table.series(&labels(stage, "/"), |_| ());
        }
        let all = table.all();
        assert_eq!(all.len(), 111);
        let others = all.iter().filter(|entry| entry.labels.method == OTHER);
        assert_eq!(others.count(), 1);
    }

    #[test]
    fn a_route_is_kept_once() {
        let table = Table::<()>::new(2);
        let names: Vec<_> = ["/a", "/b", "/c", "/d", "/a"]
            .map(|name| table.route(name))
            .to_vec();
        let names: Vec<_> = names.iter().map(|name| &**name).collect();
        assert_eq!(names, ["/a", "/b", OTHER, OTHER, "/a"]);
    }
}
