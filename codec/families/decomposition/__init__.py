"""The learned front-ends (`lpae`, `wae`): networks that split a picture into bands and merge them again."""
