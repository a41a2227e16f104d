"""What files of pictures hold besides plain 8-bit pixels: depth, colour spaces, EXIF, XMP; and how they are written."""
