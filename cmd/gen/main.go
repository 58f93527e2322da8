package main

import "os"

func main() { generate(os.Args[1], 5000000) }
