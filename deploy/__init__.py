"""From a commit to several hosts that serve it: artefact, hosts, releases, roll-out, provision, backup."""
