"""Files of maps: pictures, arrays, volumes. Nothing here computes a map."""
