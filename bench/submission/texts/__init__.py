"""Generated texts that were submitted -> the items they name -> ranked lists."""
