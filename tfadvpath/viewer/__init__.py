"""The viewer: a page, one HTML file, that shows images and the maps over them. It knows arrays alone."""
