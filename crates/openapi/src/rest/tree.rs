//! The tree of resources, built path by path.

use std::collections::HashMap;

use portcullis_definition::{Pointer, Resource};

use crate::ids::Ids;

/// The resources so far, each parent before its children.
#[derive(Debug)]
pub(crate) struct Tree {
    resources: Vec<Resource>,
    by_path: HashMap<String, usize>,
    /// The variable child of each resource that has one.
    variables: HashMap<usize, String>,
}

/// A second variable below one parent.
#[derive(Debug, PartialEq)]
pub(crate) struct Sibling {
    /// The variable that is there already, with its braces.
    pub(crate) first: String,
}

impl Tree {
    pub(crate) fn new(ids: &mut Ids) -> Self {
        let root = new_resource(ids.id("resource", "/", 10), "/");
        Self {
            resources: vec![root],
            by_path: HashMap::from([("/".to_owned(), 0)]),
            variables: HashMap::new(),
        }
    }

    /// The resource at `path`, made if need be with all that are missing on the way to it.
    pub(crate) fn at(
        &mut self,
        path: &str,
        source: &Pointer,
        ids: &mut Ids,
    ) -> Result<&mut Resource, Sibling> {
        let index = match self.by_path.get(path) {
            Some(&index) => index,
            None => self.grow(path, ids)?,
        };
        let resource = &mut self.resources[index];
        resource.source.get_or_insert_with(|| source.clone());
        Ok(resource)
    }

    fn grow(&mut self, path: &str, ids: &mut Ids) -> Result<usize, Sibling> {
        let mut parent = 0;
        for end in path
            .match_indices('/')
            .skip(1)
            .map(|(at, _)| at)
            .chain([path.len()])
        {
            let here = &path[..end];
            if let Some(&index) = self.by_path.get(here) {
                parent = index;
                continue;
            }
            let part = &here[here.rfind('/').map_or(0, |slash| slash + 1)..];
            if part.starts_with('{') {
                if let Some(first) = self.variables.get(&parent) {
                    return Err(Sibling {
                        first: first.clone(),
                    });
                }
                self.variables.insert(parent, part.to_owned());
            }
            let mut resource = new_resource(ids.id("resource", here, 6), here);
            resource.parent_id = Some(self.resources[parent].id.clone());
            resource.path_part = Some(part.to_owned());
            parent = self.resources.len();
            self.by_path.insert(here.to_owned(), parent);
            self.resources.push(resource);
        }
        Ok(parent)
    }

    pub(crate) fn into_resources(self) -> Vec<Resource> {
        self.resources
    }
}

fn new_resource(id: String, path: &str) -> Resource {
    let mut resource = Resource::default();
    resource.id = id;
    resource.path = path.to_owned();
    resource
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_on_the_way_are_made_too() {
        let mut ids = Ids::default();
        let mut tree = Tree::new(&mut ids);
        tree.at("/a/{b}/c", &Pointer::root(), &mut ids).unwrap();
        tree.at("/a", &Pointer::root(), &mut ids).unwrap();
        let resources = tree.into_resources();
        let paths: Vec<_> = resources
            .iter()
            .map(|resource| resource.path.as_str())
            .collect();
        assert_eq!(paths, ["/", "/a", "/a/{b}", "/a/{b}/c"]);
        assert_eq!(resources[0].parent_id, None);
        assert_eq!(resources[0].path_part, None);
        for (child, parent) in [(1, 0), (2, 1), (3, 2)] {
            assert_eq!(
                resources[child].parent_id.as_ref(),
                Some(&resources[parent].id)
            );
        }
        assert_eq!(resources[2].path_part.as_deref(), Some("{b}"));
    }

    #[test]
    fn one_parent_has_one_variable() {
        let mut ids = Ids::default();
        let mut tree = Tree::new(&mut ids);
        tree.at("/a/{b}", &Pointer::root(), &mut ids).unwrap();
        let second = tree.at("/a/{c}/d", &Pointer::root(), &mut ids).unwrap_err();
        assert_eq!(
            second,
            Sibling {
                first: "{b}".into()
            }
        );
        assert!(tree.at("/a/{b}/{c}", &Pointer::root(), &mut ids).is_ok());
    }
}
